package verify

import (
	"archive/zip"
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/seal"
)

// benchDocument is a sealed document of about 36 kB: the seal, twice in it as
// everywhere, has a picture of real size (reference §8: 15 kB).
func benchDocument(b *testing.B) (*world, []byte) {
	w := newWorld(b)
	pic := image.NewPaletted(image.Rect(0, 0, 500, 500), color.Palette{color.Transparent, color.NRGBA{R: 255, A: 255}})
	noise := rand.New(rand.NewPCG(1, 2))
	for i := range 121_000 {
		pic.Pix[i] = byte(noise.IntN(2))
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, pic); err != nil {
		b.Fatal(err)
	}
	w.png = buf.Bytes()
	w.seal = w.makeSeal(w.maker, w.signer)
	return w, w.put(w.notice(), false)
}

// primitives does what a verification cannot avoid: inflate every file, hash it,
// and verify n SM2 signatures.
func primitives(b *testing.B, data []byte, ses *seal.Signature, n int) {
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range r.File {
		rc, err := f.Open()
		if err != nil {
			b.Fatal(err)
		}
		h := sm3.New()
		if _, err := io.Copy(h, rc); err != nil {
			b.Fatal(err)
		}
		h.Sum(nil)
		rc.Close()
	}
	for i := range n {
		if i%2 == 0 {
			err = ses.Verify()
		} else {
			err = ses.Seal.VerifyMaker()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// rounds keeps what single runs of a work and of its primitives took, alternately.
type rounds struct{ work, primitives []time.Duration }

// report prints the median of five rounds (design §10): works a second, and the
// share of the primitives.
func (r *rounds) report(b *testing.B, unit string) {
	var rate, share []float64
	n := len(r.work)
	for i := range 5 {
		var work, primitives time.Duration
		from, to := i*n/5, (i+1)*n/5
		for k := from; k < to; k++ {
			work, primitives = work+r.work[k], primitives+r.primitives[k]
		}
		if work > 0 {
			rate = append(rate, float64(to-from)/work.Seconds())
			share = append(share, 100*primitives.Seconds()/work.Seconds())
		}
	}
	slices.Sort(rate)
	slices.Sort(share)
	b.ReportMetric(rate[len(rate)/2], unit)
	b.ReportMetric(share[len(share)/2], "%ofprimitives")
}

// BenchmarkVerify prints documents a second on one core and the share of the sum
// of the primitives (design §10: floor 500/s, aim 60 %).
func BenchmarkVerify(b *testing.B) {
	w, data := benchDocument(b)
	ses := parseValue(b, data)
	trust := NewTrust(w.root.cert.Raw)
	for _, c := range []struct {
		name     string
		trust    *Trust
		verifies int // signer and maker, and with anchors the chain of each
	}{{"mathematics", nil, 2}, {"trusted", trust, 4}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			var r rounds
			for b.Loop() {
				t0 := time.Now()
				rep, err := Document(context.Background(), data, Options{Trust: c.trust, Now: func() time.Time { return later }})
				t1 := time.Now()
				if err != nil || rep.Integrity != Intact {
					b.Fatal(err, dump(rep))
				}
				primitives(b, data, ses, c.verifies)
				r.work, r.primitives = append(r.work, t1.Sub(t0)), append(r.primitives, time.Since(t1))
			}
			r.report(b, "files/s")
			b.ReportMetric(float64(len(data)), "bytes/file")
		})
	}
}

// BenchmarkVerifyAlone is the work of BenchmarkVerify without its primitives: the
// allocations are those of one verification.
func BenchmarkVerifyAlone(b *testing.B) {
	w, data := benchDocument(b)
	trust := NewTrust(w.root.cert.Raw)
	b.ReportAllocs()
	for b.Loop() {
		if rep, err := Document(context.Background(), data, Options{Trust: trust, Now: func() time.Time { return later }}); err != nil || rep.Verdict != Valid {
			b.Fatal(err, dump(rep))
		}
	}
}

func parseValue(tb testing.TB, data []byte) *seal.Signature {
	tb.Helper()
	p, err := ofd.Open(data)
	if err != nil {
		tb.Fatal(err)
	}
	raw, err := p.Read(p.Signatures()[0].ValuePath)
	if err != nil {
		tb.Fatal(err)
	}
	ses, err := seal.ParseSignature(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return ses
}
