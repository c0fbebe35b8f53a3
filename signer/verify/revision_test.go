package verify

import (
	"reflect"
	"testing"

	"github.com/emmansun/gmsm/smx509"
)

// The story of a document: what each seal covers, and what happened after it.
func TestRevisionStory(t *testing.T) {
	w := newWorld(t)
	once := w.put(w.notice(), false)
	twice := w.put(once, false)
	thrice := w.put(twice, false)
	const page = "Doc_0/Pages/Page_0/Content.xml"
	space := func(b []byte) []byte { return append(b, ' ') }
	none := []string{}
	for name, c := range map[string]struct {
		data []byte
		want []Revision
	}{
		"one seal": {once, []Revision{{1, none, none, AfterNothing, none, ""}}},
		"three seals": {thrice, []Revision{
			{1, none, []string{"s003", "s005"}, AfterSigned, none, ""},
			{2, []string{"s001"}, []string{"s005"}, AfterSigned, none, ""},
			{3, []string{"s001", "s003"}, none, AfterNothing, none, ""},
		}},
		"changed after the last": {edit(t, twice, page, space), []Revision{
			{1, none, []string{"s003"}, AfterChanged, []string{"/" + page}, ""},
			{2, []string{"s001"}, none, AfterChanged, []string{"/" + page}, ""},
		}},
		// What is sealed is the document that is there.
		"changed after the first, then sealed": {w.put(edit(t, once, page, space), false), []Revision{
			{1, none, []string{"s003"}, AfterChanged, []string{"/" + page}, "s003"},
			{2, []string{"s001"}, none, AfterNothing, none, ""},
		}},
		"a file that no seal covers": {rezip(t, append(unzip(t, once), zfile{"Doc_0/extra.bin", []byte("x")})), []Revision{
			{1, none, none, AfterUnknown, none, ""},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			rep := w.judge(c.data)
			var got []Revision
			for _, s := range rep.Signatures {
				got = append(got, *s.Revision)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// A real one: the second seal broke the first by its entry in the list, which
// neither of them covers as it is now.
func TestRevisionStoryOfTheCorpus(t *testing.T) {
	data := sample(t, "sealed/two_seals_second_breaks_first.ofd")
	first := judge(t, data, nil).Signatures[0].Revision
	if first.After != AfterChanged || first.SealedAgain != "" || first.Later[0] != "s007" || first.Changed[0] != "/Doc_0/Signs/Signatures.xml" {
		t.Errorf("%+v", first)
	}
}

// A revoked seal maker: its seals are doubtful, before and after.
func TestRevokedMaker(t *testing.T) {
	w := newWorld(t)
	data := w.put(w.notice(), false)
	for name, c := range map[string]struct {
		source Revocation
		want   Verdict
		reason string
	}{
		"before signing": {onlyRevoked{w.maker.cert, revoked{at: signed.AddDate(0, 0, -1)}}, Invalid, ReasonRevoked},
		"after signing":  {onlyRevoked{w.maker.cert, revoked{at: signed.AddDate(0, 0, 1)}}, Indeterminate, ReasonRevokedLater},
		"another one":    {onlyRevoked{w.root.cert, revoked{at: signed.AddDate(0, 0, -1)}}, Valid, ""},
	} {
		opt := w.options(nil)
		opt.Revocation = c.source
		rep, err := Document(t.Context(), data, opt)
		if err != nil || rep.Verdict != c.want || find(rep.Signatures[0], CheckRevocation).Reason != c.reason {
			t.Errorf("%s: %v\n%s", name, err, dump(rep))
		}
	}
}

// Stamps that show something else than the seal beside the others are remarked.
func TestStampsAreRemarked(t *testing.T) {
	w := newWorld(t)
	once := w.put(w.notice(), false)
	if rep := w.judge(once); warned(rep, WarnStampSize) || warned(rep, WarnStampOver) {
		t.Error(dump(rep))
	}
	if rep := w.judge(w.put(once, false)); !warned(rep, WarnStampOver) || rep.Verdict != Valid {
		t.Error("a seal on another one", dump(rep))
	}
	wide := w.resign(once, forged{}, func(s string) string { return string(replace(`42 42"`, `190 270"`)([]byte(s))) })
	if rep := w.judge(wide); !warned(rep, WarnStampSize) || rep.Verdict != Valid {
		t.Error("a seal over the whole page", dump(rep))
	}
}

// A subject in GBK is shown as it was meant, whatever type the text has.
func TestSubjectInGBK(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		cert []byte
		want string
	}{
		"T61String": {gbkName(w, 20), "CN=大数据,O=样例"}, "PrintableString": {gbkName(w, 19), "CN=大数据,O=样例"},
	} {
		got, err := readCertificate(c.cert)
		if err != nil || got.subject != c.want {
			t.Errorf("%s: %v %+v", name, err, got)
		}
	}
	c, err := smx509.ParseCertificate(w.signer.cert.Raw)
	w.must(err)
	if got, err := readCertificate(c.Raw); err != nil || got.subject != c.Subject.String() {
		t.Error(err, got)
	}
}
