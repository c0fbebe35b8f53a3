package ofd

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/signer/ofd/ofdtest"
)

var signTime = time.Date(2026, 3, 9, 2, 30, 0, 0, time.UTC)

func request(whole bool) SealRequest {
	return SealRequest{
		Provider: Provider{"yinxin", "0.1", "<A&B>"},
		Stamps:   []Place{{Page: 1, X: 120, Y: 200, W: 42, H: 42}},
		SealDER:  []byte("seal object"), SignTime: signTime, WholeProtected: whole,
	}
}

func seal(t *testing.T, data []byte, req SealRequest) ([]byte, *Pending) {
	t.Helper()
	p, err := Open(data)
	if err != nil {
		t.Fatal(err)
	}
	q, err := Prepare(p, req)
	if err != nil {
		t.Fatal(err)
	}
	out, err := q.Finish([]byte("signed value"))
	if err != nil {
		t.Fatal(err)
	}
	return out, q
}

// holds checks every reference of every signature against the package.
func holds(t *testing.T, data []byte, want int) *Package {
	t.Helper()
	p, err := Open(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Faults()) > 0 {
		t.Fatalf("faults: %v", p.Faults())
	}
	if got := len(p.Signatures()); got != want {
		t.Fatalf("%d signatures, want %d", got, want)
	}
	for _, s := range p.Signatures() {
		if s.Broken || s.ValuePath == "" || s.SealPath == "" || !s.SM3Check() {
			t.Fatalf("signature %s incomplete: %+v", s.ID, s)
		}
		for _, r := range s.References {
			d, err := p.Digest(r.Path)
			if err != nil || !bytes.Equal(d, r.Value) {
				t.Errorf("signature %s: %s changed (%v)", s.ID, r.Path, err)
			}
		}
	}
	return p
}

// Every unsealed file of the corpus takes two seals in ContinueSign mode; the
// second covers the first's files and the first stays whole (reference §3.3).
func TestPrepareTwiceContinueSign(t *testing.T) {
	for _, f := range append(corpusFiles(t, "plain/*.ofd"), filepath.Join(ofdtest.Corpus(t), "made", "v4_continue.ofd")) {
		t.Run(filepath.Base(f), func(t *testing.T) {
			data := read(t, f)
			n := 0
			if strings.Contains(f, "made") {
				n = 1
			}
			once, q := seal(t, data, request(false))
			p := holds(t, once, n+1)
			s := p.Signatures()[n]
			if d, err := p.Digest(q.Property()); err != nil || !bytes.Equal(d, q.DataHash()) {
				t.Fatalf("data hash is not that of the written Signature.xml: %v", err)
			}
			if c := p.CoverageOf(&s); len(c.Uncovered)+len(c.Unreferenced) > 0 {
				t.Fatalf("coverage: %+v", c)
			}
			twice, _ := seal(t, once, request(false))
			p = holds(t, twice, n+2)
			first, second := p.Signatures()[n], p.Signatures()[n+1]
			for _, f := range []string{first.Path, first.ValuePath, first.SealPath} {
				if !second.Covers(f) {
					t.Errorf("second seal does not cover %s", f)
				}
			}
			if first.ID == second.ID || first.Stamps[0].ID == second.Stamps[0].ID || first.Path == second.Path {
				t.Error("ids or paths are used twice")
			}
		})
	}
}

func TestPrepareIsDeterministicAndKeepsOldBytes(t *testing.T) {
	data := read(t, filepath.Join(ofdtest.Corpus(t), "plain", "gen12_attachment.ofd"))
	one, _ := seal(t, data, request(false))
	two, _ := seal(t, data, request(false))
	if !bytes.Equal(one, two) {
		t.Fatal("equal input, different bytes")
	}
	before, _ := Open(data)
	after, _ := Open(one)
	for _, f := range before.Files() {
		a, _ := before.Digest(f)
		b, err := after.Digest(f)
		if err != nil {
			t.Fatal(err)
		}
		if same := bytes.Equal(a, b); same == (f == "/OFD.xml") {
			t.Errorf("%s: same bytes = %v", f, same)
		}
	}
}

func TestWholeProtectedRefusesLaterSeals(t *testing.T) {
	data := read(t, filepath.Join(ofdtest.Corpus(t), "plain", "helloworld.ofd"))
	whole, _ := seal(t, data, request(true))
	p := holds(t, whole, 1)
	if s := p.Signatures()[0]; !s.Covers("/Doc_0/Signs/Signatures.xml") {
		t.Fatal("list not covered")
	}
	for name, data := range map[string][]byte{
		"own": whole, "ofdrw": read(t, filepath.Join(ofdtest.Corpus(t), "made", "v4_whole.ofd")),
	} {
		p, err := Open(data)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Prepare(p, request(false)); !errors.Is(err, ErrProtected) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPrepareRefuses(t *testing.T) {
	dir := ofdtest.Corpus(t)
	hello := read(t, filepath.Join(dir, "plain", "helloworld.ofd"))
	with := func(change func(*SealRequest)) SealRequest { r := request(false); change(&r); return r }
	for name, c := range map[string]struct {
		data []byte
		req  SealRequest
		want error
	}{
		"missing page": {hello, with(func(r *SealRequest) { r.Stamps[0].Page = 2 }), ErrStamp},
		"page zero":    {hello, with(func(r *SealRequest) { r.Stamps[0].Page = 0 }), ErrStamp},
		"off the page": {hello, with(func(r *SealRequest) { r.Stamps[0].X = 211 }), ErrStamp},
		"no extent":    {hello, with(func(r *SealRequest) { r.Stamps[0].W = 0 }), ErrStamp},
		"clip off the page": {hello, with(func(r *SealRequest) {
			r.Stamps[0].X, r.Stamps[0].Clip = 200, &Box{20, 0, 10, 42}
		}), ErrStamp},
		"no stamp":  {hello, with(func(r *SealRequest) { r.Stamps = nil }), ErrStamp},
		"no seal":   {hello, with(func(r *SealRequest) { r.SealDER = nil }), ErrStamp},
		"stripped":  {read(t, filepath.Join(dir, "negative", "ofdrw_stripped.ofd")), request(false), ErrOrphan},
		"duplicate": {read(t, filepath.Join(dir, "negative", "koal_dup_first.ofd")), request(false), ErrUnsound},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Open(c.data)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Prepare(p, c.req); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestDataHashIsRawSM3(t *testing.T) {
	data := read(t, filepath.Join(ofdtest.Corpus(t), "plain", "helloworld.ofd"))
	out, q := seal(t, data, request(false))
	p, _ := Open(out)
	raw, err := p.Read(q.Property())
	if err != nil {
		t.Fatal(err)
	}
	if d := sm3.Sum(raw); !bytes.Equal(d[:], q.DataHash()) {
		t.Fatal("digest differs")
	}
	if !bytes.Contains(raw, []byte("2026-03-09 10:30:00")) || !bytes.Contains(raw, []byte("&lt;A&amp;B&gt;")) {
		t.Fatalf("Beijing time or escaping wrong: %s", raw)
	}
}

// GM/T 0099-2020, 7.2.2: a signature without a seal has a record of Type="Sign",
// no stamp and no Seal element, and covers what a seal would.
func TestPrepareSign(t *testing.T) {
	data := small(t)
	p, err := Open(data)
	if err != nil {
		t.Fatal(err)
	}
	req := SealRequest{Type: TypeSign, Provider: Provider{Name: "yinxin"}, SignTime: signTime}
	q, err := Prepare(p, req)
	if err != nil {
		t.Fatal(err)
	}
	if d := sm3.Sum(q.SignatureXML()); !bytes.Equal(d[:], q.DataHash()) {
		t.Error("the digest is of something else")
	}
	out, err := q.Finish([]byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	if p, err = Open(out); err != nil {
		t.Fatal(err)
	}
	s := p.Signatures()
	if len(s) != 1 || s[0].Type != TypeSign || s[0].Broken || s[0].SealPath != "" || len(s[0].Stamps) != 0 || len(s[0].References) != len(p.Files())-3 ||
		len(p.CoverageOf(&s[0]).Uncovered) != 0 {
		t.Errorf("%+v", s)
	}
	for name, c := range map[string]struct {
		req  SealRequest
		want error
	}{
		"with a seal":  {SealRequest{Type: TypeSign, SealDER: []byte("x")}, ErrStamp},
		"with a stamp": {SealRequest{Type: TypeSign, Stamps: request(false).Stamps}, ErrStamp},
		"other type":   {SealRequest{Type: "Ink"}, ErrStamp},
	} {
		if _, err := Prepare(p, c.req); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
