package console

import "slices"

// group is a part of the menu: pages of one kind of work.
type group struct {
	ID    string
	Pages []string
}

// menu is what a person sees, by work. Everybody verifies documents; the rest is
// what the posts open. A group without a page of this person is not shown.
func menu(p *Person) (out []group) {
	for _, g := range []group{
		{"seal", []string{PageUses, PageSeals, PageCompromise}},
		{"document", []string{pageVerify, PageConsents, PageArchive}},
		{"sharing", []string{PageCatalogue, PageReclass, PageViolations}},
		{"access", []string{PageGrants, PageDomains, PageRoutes}},
		{"certificate", []string{PageRequests, PageACME, PageEnrolments, PageClearances, PageCertificates, PageSystems, PageRecovery, PageHistory, PageExpiring, PageStatistics}},
		{"authority", []string{PageAnchors, PagePeers, PageSuccession, PageClosing, PageRetention, PageNotices}},
		{"people", []string{PagePeople}},
		{"audit", []string{pageLedger}},
	} {
		g.Pages = slices.DeleteFunc(g.Pages, func(page string) bool {
			switch {
			case page == pageVerify:
				return false
			case p == nil:
				return true
			case page == pageLedger:
				return !p.Auditor
			}
			return !slices.Contains(p.Pages, page)
		})
		if len(g.Pages) > 0 {
			out = append(out, g)
		}
	}
	return out
}
