package signer

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

func pagesOf(n int) []ofd.Box {
	out := make([]ofd.Box, n)
	for i := range out {
		out[i] = ofd.Box{W: 210, H: 297}
	}
	return out
}

// Reference §3.4: the example of a real file, five A4 pages, a seal of 40 mm on
// the right edge.
func TestRideSealGeometryOfTheReference(t *testing.T) {
	got := Placement{Ride: EdgeRight}.slices(pagesOf(5), 0, 40, 40)
	for i, want := range []string{"202 128.5 40 40 clip 0 0 8 40", "194 128.5 40 40 clip 8 0 8 40", "186 128.5 40 40 clip 16 0 8 40",
		"178 128.5 40 40 clip 24 0 8 40", "170 128.5 40 40 clip 32 0 8 40"} {
		if s := (ofd.Box{X: got[i].X, Y: got[i].Y, W: got[i].W, H: got[i].H}).String() + " clip " + got[i].Clip.String(); s != want {
			t.Errorf("slice %d: %s, want %s", i, s, want)
		}
	}
}

// On every edge and for every number of pages: the slices of a group make one
// whole seal, each stands on its page at the edge, and none is too thin.
func TestRideSealSlicesMakeWholeSeals(t *testing.T) {
	for _, edge := range []Edge{EdgeLeft, EdgeRight, EdgeTop, EdgeBottom} {
		for _, n := range []int{2, 3, 7, 10, 11, 25, 64} {
			pkg := blank(t, n)
			places, err := Placement{Ride: edge}.on(pkg, 42, 40)
			if err != nil || len(places) != n {
				t.Fatal(edge, n, len(places), err)
			}
			area, seals := 0.0, 0
			for i, p := range places {
				v := p.Visible()
				area += p.Clip.W * p.Clip.H
				if p.Clip.W < minSlice-0.01 || p.Clip.H < minSlice-0.01 || p.Page != i+1 {
					t.Errorf("%s %d: slice %d is %v", edge, n, i, *p.Clip)
				}
				gap := map[Edge]float64{EdgeLeft: v.X, EdgeTop: v.Y, EdgeRight: 210 - v.X - v.W, EdgeBottom: 297 - v.Y - v.H}[edge]
				if math.Abs(gap) > 1e-9 || p.Clip.X < -1e-9 || p.Clip.Y < -1e-9 || p.Clip.X+p.Clip.W > 42+1e-9 || p.Clip.Y+p.Clip.H > 40+1e-9 {
					t.Errorf("%s %d: page %d: %+v clip %v", edge, n, i+1, p, *p.Clip)
				}
				first := p.Clip.X < 1e-9 && p.Clip.Y < 1e-9
				last := math.Abs(p.Clip.X+p.Clip.W-42) < 1e-9 && math.Abs(p.Clip.Y+p.Clip.H-40) < 1e-9
				if (edge == EdgeRight || edge == EdgeBottom) && first || (edge == EdgeLeft || edge == EdgeTop) && last {
					seals++
				}
			}
			if math.Abs(area-float64(seals)*42*40) > 1e-6 || seals == 0 {
				t.Errorf("%s %d: %d seals have the area %f", edge, n, seals, area)
			}
		}
	}
}

// blank is a document of n blank A4 pages.
func blank(t *testing.T, n int) ofdPaper {
	t.Helper()
	body := make([]string, 0, n+n/4+1)
	for range n + n/4 + 1 { // a paragraph has 19 of the 22 lines of a page
		body = append(body, strings.Repeat("字", 28*19))
	}
	doc, err := ofd.NewNotice(ofd.Notice{Title: "通知", Issuer: "样例区", Body: body, Date: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	pkg, err := ofd.Open(doc)
	if err != nil {
		t.Fatal(err)
	}
	if len(pkg.Bodies[0].Pages) < n {
		t.Fatalf("%d pages, %d wanted", len(pkg.Bodies[0].Pages), n)
	}
	pkg.Bodies[0].Pages = pkg.Bodies[0].Pages[:n]
	return ofdPaper{pkg}
}

func TestPlacesThatAreNone(t *testing.T) {
	for name, c := range map[string]struct {
		p     Placement
		pages int
	}{
		"no such page": {Placement{Page: 3}, 2}, "negative page": {Placement{Page: -1}, 2},
		"no such edge": {Placement{Ride: "diagonal"}, 2}, "one page has no 骑缝": {Placement{Ride: EdgeLeft}, 1},
		"no such text": {Placement{Keyword: "没有这几个字"}, 2}, "text on another page": {Placement{Keyword: "通知", Page: 2}, 2},
	} {
		if got, err := c.p.on(blank(t, c.pages), 42, 42); !errors.Is(err, ErrDocument) || got != nil {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
}
