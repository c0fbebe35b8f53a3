package console

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/ca/peer"
	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// PagePeers is the register of peer domains (对等域).
const PagePeers = "peers"

// Peers are trust domains of others.
type Peers interface {
	Peered(ctx context.Context, p Person) (PeerList, error)
	ProposePeer(ctx context.Context, p Person, e peer.Entry) error
	// AnswerPeer signs a registration officer's answer to a proposal.
	AnswerPeer(ctx context.Context, p Person, id string, a Answer) error
	WithdrawPeer(ctx context.Context, p Person, id, reason string) error
	// ImportPeerList keeps a list of revoked certificates that a person brought.
	ImportPeerList(ctx context.Context, p Person, domain string, list Paper) error
}

// PeerList is what the page shows, newest first.
type PeerList struct {
	Entries  []PeerLine
	MayWrite bool // propose, withdraw and import
}

// PeerLine is one entry.
type PeerLine struct {
	peer.Entry
	AnchorSums, IssuingSums []string // SM3
	By, Ender               string   // names
	Sum                     string   // what is signed
	Lists                   []peer.Freshness
	InForce                 bool
	MayAnswer, MayEnd       bool
}

func (c *console) mountPeers(r chi.Router) {
	r.Get("/console/peers", c.opened(PagePeers, first(c.peered)))
	r.Post("/console/peers", c.opened(PagePeers, c.proposePeer))
	r.Post("/console/peers/{id}/answer", c.opened(PagePeers, c.answerPeer))
	r.Post("/console/peers/{id}/withdraw", c.opened(PagePeers, c.withdrawPeer))
	r.Post("/console/peers/{id}/list", c.opened(PagePeers, c.importPeerList))
}

func (c *console) peered(w http.ResponseWriter, r *http.Request, p Person, cause error) {
	listed(c, w, r, p, PagePeers, c.cfg.Desk.Peered, cause)
}

func (c *console) proposePeer(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	if err == nil {
		var e peer.Entry
		if e, err = peerForm(r.PostForm.Get); err == nil {
			err = c.cfg.Desk.ProposePeer(r.Context(), p, e)
		}
	}
	c.back(w, r, p, "/console/peers", err, c.peered)
}

// peerForm reads a proposal. Days are whole days in China, the last one too; what
// an entry has to be is the room's to say.
func peerForm(get func(string) string) (peer.Entry, error) {
	for _, field := range []string{"domain", "name", "operator", "hosts", "units", "actions", "purposes", "lists", "reason", "replaces"} {
		if text.Plain(oneLine(get(field))) != oneLine(get(field)) {
			return peer.Entry{}, ErrForm
		}
	}
	lv, lerr := strconv.ParseUint(get("level"), 10, 8)
	hours, herr := strconv.ParseUint(get("stale"), 10, 16)
	from, ferr := day(get("from"))
	last, uerr := day(get("until"))
	if lerr != nil || herr != nil || ferr != nil || uerr != nil || from.IsZero() || last.IsZero() {
		return peer.Entry{}, ErrForm
	}
	systems, err := peerSystems(get("systems"), get("pairs"))
	if err != nil {
		return peer.Entry{}, err
	}
	return peer.Entry{
		Domain: strings.TrimSpace(get("domain")), Name: oneLine(get("name")), Operator: strings.TrimSpace(get("operator")), Kind: peer.Kind(get("kind")),
		Anchors: verify.Certificates([]byte(get("anchors"))), Issuing: verify.Certificates([]byte(get("issuing"))),
		Hosts: strings.Fields(get("hosts")), Units: strings.Fields(get("units")), Level: uint8(lv), Actions: strings.Fields(get("actions")),
		Purposes: strings.Fields(get("purposes")), Lists: strings.Fields(get("lists")), Stale: time.Duration(hours) * time.Hour, Systems: systems,
		From: from, Until: last.AddDate(0, 0, 1), Reason: oneLine(get("reason")), Replaces: strings.TrimSpace(get("replaces")),
	}, nil
}

// peerSystems reads one system a line, and the certificates of all in pairs.
func peerSystems(lines, pairs string) (out []peer.System, err error) {
	for line := range strings.Lines(lines) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if len(f) != 5 || text.Plain(strings.Join(f, " ")) != strings.Join(f, " ") {
			return nil, ErrForm
		}
		out = append(out, peer.System{ID: f[0], Host: f[1], Unit: f[2], UnitName: f[3], Name: f[4]})
	}
	certs := verify.Certificates([]byte(pairs))
	if strings.TrimSpace(pairs) != "" && len(certs) != 2*len(out) {
		return nil, ErrForm
	}
	for i := range certs {
		if s := &out[i/2]; i%2 == 0 {
			s.Sign = certs[i]
		} else {
			s.Enc = certs[i]
		}
	}
	return out, nil
}

func (c *console) answerPeer(w http.ResponseWriter, r *http.Request, p Person) {
	err := answer(w, r, func(a Answer) error { return c.cfg.Desk.AnswerPeer(r.Context(), p, chi.URLParam(r, "id"), a) })
	c.back(w, r, p, "/console/peers", err, c.peered)
}

func (c *console) withdrawPeer(w http.ResponseWriter, r *http.Request, p Person) {
	err := fields(w, r)
	if err == nil {
		err = c.cfg.Desk.WithdrawPeer(r.Context(), p, chi.URLParam(r, "id"), oneLine(r.PostForm.Get("reason")))
	}
	c.back(w, r, p, "/console/peers", err, c.peered)
}

func (c *console) importPeerList(w http.ResponseWriter, r *http.Request, p Person) {
	release, err := c.limited(r.Context())
	if err == nil {
		defer release()
		var f filled
		if f, err = upload(w, r, peer.MaxList, 1, "list"); err == nil {
			list := f.file("list")
			if len(list.Bytes) == 0 {
				err = errNoFile
			} else {
				list.Name = fileName(list.Name)
				err = c.cfg.Desk.ImportPeerList(r.Context(), p, chi.URLParam(r, "id"), list)
			}
		}
	}
	c.back(w, r, p, "/console/peers", err, c.peered)
}
