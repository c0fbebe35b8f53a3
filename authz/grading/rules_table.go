package grading

// Rule is one row of what this room watches: where it stands in the texts, and
// under which profile. Its words are in the catalogue under "grading.rule.<ID>".
type Rule struct {
	ID       string   `json:"id"`
	Sources  []string `json:"sources"`
	Profiles []string `json:"profiles,omitempty"` // empty: under every profile
	Own      bool     `json:"own,omitempty"`      // the period is the unit's to set
	Limit    bool     `json:"limit,omitempty"`    // has a day: may be in a list of deadlines
}

// Sources that rules name.
const (
	srcGrading  = "GB/T 22240-2020"
	srcMeasures = "公通字〔2007〕43号"
	srcNotice   = "公网安〔2025〕1846号"
)

// Rules is the table of R1 to R20 and of the limits beside them.
func Rules() []Rule {
	limit := func(id string, sources ...string) Rule { return Rule{ID: id, Sources: sources, Limit: true} }
	own := func(id string, sources ...string) Rule { return Rule{ID: id, Sources: sources, Limit: true, Own: true} }
	check := func(id string, sources ...string) Rule { return Rule{ID: id, Sources: sources} }
	return []Rule{
		check("R1", srcGrading+" 6"),
		check("R2", srcGrading+" 7", srcNotice+" Q2"),
		check("R3", srcGrading+" 7"),
		limit("R4", srcMeasures+" art. 15", "民法典 art. 203"),
		limit("R5", srcMeasures+" art. 15", "民法典 art. 203"),
		limit("R6", srcMeasures+" art. 16"),
		limit("R7", srcMeasures+" art. 17", "民法典 art. 201"),
		{ID: "R8", Sources: []string{srcNotice + " Q6", "民法典 art. 202"}},
		limit("R9", srcNotice+" Q6"),
		{ID: "R10", Sources: []string{srcMeasures + " art. 14", srcNotice + " Q11"}, Profiles: []string{"measures-2007", "notice-2025"}, Limit: true},
		limit("R11", srcMeasures+" art. 14"),
		own("R12", srcGrading+" 8", srcNotice+" Q2"),
		check("R13", srcGrading+" 5"),
		check("R14", "X14-30"),
		check("R15", "XA18-17", "XA18-13"),
		check("R16", "BJ17-25"),
		check("R17", srcNotice+" Q20", srcNotice+" Q22"),
		check("R18", "密码法 art. 8", "X14-31"),
		own("R19", srcNotice+" Q23"),
		check("R20", "网络安全法 art. 23 (former 21)"),
		own(LimitDrill, "XA18-26", "BJ17-27"),
		own(LimitRisk, "XA18-26", "BJ17-26c", "BJ05-1a"),
		own(LimitCrypto, "国家密码管理局令第3号"),
		limit(LimitCryptoSent, "国家密码管理局令第3号"),
		limit(LimitInspection, "X11-22", "X14-33"),
		limit(LimitTask, "X11-22"),
		limit(LimitGrace, "X14-30"),
	}
}
