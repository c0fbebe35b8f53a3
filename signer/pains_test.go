package signer_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/signertest"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// The pains of users of OFD tools that are about sealing (reference §10); those
// about verifying are in signer/verify.

// Pain 5, ofdrw #317: several seals pile up. Seals that are put one after another
// stand beside one another, ride seals too, and none covers an earlier one
// (GB/T 9704-2012, 7.3.5.2).
func TestPain05SeveralSealsDoNotPileUp(t *testing.T) {
	d := newDesk(t)
	doc := long(t)
	for range 5 {
		j := d.job("")
		j.Also = []signer.Placement{{Ride: signer.EdgeRight}}
		doc = d.put(t, doc, j)
	}
	rep := d.judge(t, doc)
	if rep.Verdict != verify.Valid || len(rep.Signatures) != 5 {
		t.Fatalf("%s %d", rep.Verdict, len(rep.Signatures))
	}
	p, err := ofd.Open(doc)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string][]ofd.Box{}
	for _, s := range p.Signatures() {
		for _, st := range s.Stamps {
			b := st.Boundary
			if st.Clip != nil {
				b = ofd.Box{X: b.X + st.Clip.X, Y: b.Y + st.Clip.Y, W: st.Clip.W, H: st.Clip.H}
			}
			for _, o := range shown[st.PageRef] {
				if b.Meets(o) {
					t.Errorf("page %s: %v covers %v", st.PageRef, b, o)
				}
			}
			shown[st.PageRef] = append(shown[st.PageRef], b)
		}
	}
}

// Pain 6, ofdrw #57 and #60: the check whether the list of signatures is
// protected is wrong, and blocks or permits the second seal. A second seal is
// refused exactly where a first one covers the list, whoever wrote it, however
// it spells the path, and the first seal holds after every one that is permitted.
func TestPain06SecondSealExactlyWhereTheListIsOpen(t *testing.T) {
	d := newDesk(t)
	for _, first := range []signer.Standard{signer.StandardV4, signer.StandardV1, signer.StandardCMS} {
		for _, second := range []signer.Standard{signer.StandardV4, signer.StandardV1, signer.StandardCMS} {
			for _, whole := range []bool{false, true} {
				one := d.job(first)
				one.Whole = whole
				doc := d.put(t, notice(t), one)
				if whole {
					if _, err := signer.Prepare(doc, d.job(second), d.keys["unit"].Public()); !errors.Is(err, ofd.ErrProtected) {
						t.Errorf("%s then %s: permitted (%v)", first, second, err)
					}
					continue
				}
				rep := d.judge(t, d.put(t, doc, d.job(second)))
				if rep.Verdict != verify.Valid || rep.Signatures[0].Verdict != verify.Valid {
					t.Errorf("%s then %s: %s", first, second, rep.Verdict)
				}
			}
		}
	}
}

// Pain 8, ofdrw #168, #183, #100: the seal has another size, or its slices do not
// meet. A stamp has the millimetres of the seal, and the slices are tested in
// TestRideSealSlicesMakeWholeSeals.
func TestPain08StampHasTheSizeOfTheSeal(t *testing.T) {
	d := newDesk(t)
	for _, size := range [][2]int{{42, 42}, {45, 45}, {30, 20}, {60, 10}} {
		spec := d.Spec(t)
		spec.Picture.Width, spec.Picture.Height = size[0], size[1]
		der, err := seal.Make(seal.Spec{
			ID: spec.ID, Vendor: "yinxin", Type: 1, Name: signertest.Application(t).Name, Certs: [][]byte{d.unitCert},
			Created: now.AddDate(0, 0, -1), ValidFrom: spec.ValidFrom, ValidUntil: spec.ValidUntil, Picture: spec.Picture,
		}, d.keys["maker"], d.makerCert)
		if err != nil {
			t.Fatal(err)
		}
		j := d.job("")
		j.SealDER, j.Also = der, []signer.Placement{{Ride: signer.EdgeLeft}, {Page: 1, X: 10, Y: 10}}
		p, err := ofd.Open(d.put(t, long(t), j))
		if err != nil {
			t.Fatal(err)
		}
		for _, st := range p.Signatures()[0].Stamps {
			if got := fmt.Sprint(st.Boundary.W, st.Boundary.H); got != fmt.Sprint(size[0], size[1]) {
				t.Errorf("stamp of %s mm, seal of %v", got, size)
			}
		}
	}
}
