package life_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/signertest"
)

// random is a house in which things happen in any order, beside a model that
// only counts and remembers.
type random struct {
	*signertest.House
	t       *testing.T
	rnd     *rand.Rand
	quota   int
	open    []signer.Use         // not sealed yet
	granted map[string]time.Time // uses that the leader approved and when that was recorded
	sealed  int
	doc     []byte
}

// Whatever happens in whatever order: a document is sealed only by an active
// seal, in its period, within its quota, with an approval that is not older than
// its life, of a kind that is not excluded, and never twice by one approval.
func TestNeverSignsUnlessAllHolds(t *testing.T) {
	sealed, full := 0, 0
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := &random{House: signertest.NewHouse(t), t: t, rnd: rand.New(rand.NewPCG(seed, 1)), granted: map[string]time.Time{}, doc: signertest.Notice(t)}
			a := signertest.Application(t)
			r.quota = 1 + r.rnd.IntN(4)
			a.Authorisation = signer.Authorisation{Total: r.quota, Hours: signer.Hours{From: 8 * 60, Until: 18 * 60}}
			steps := []func(){r.request, r.request, r.approve, r.approve, r.seal, r.seal, r.seal, r.clock, r.suspend, r.resume, r.resume, r.restart}
			r.Walk(t, a, r.Spec(t), []signer.SealState{signer.SealMade, signer.SealFiled, signer.SealActive}[r.rnd.IntN(3)])
			for range 200 {
				steps[r.rnd.IntN(len(steps))]()
				if r.rnd.IntN(300) == 0 {
					r.cancel()
				}
				if r.rnd.IntN(6) == 0 {
					r.promote()
				}
			}
			if sealed += r.sealed; r.sealed == r.quota {
				full++
			}
		})
	}
	if sealed < 20 || full < 3 {
		t.Errorf("the walk tries too little: %d sealed, %d quotas reached", sealed, full)
	}
}

func (r *random) request() {
	kind := []string{"notice", "离婚登记", "heat_stop", ""}[r.rnd.IntN(4)]
	u, _, err := r.RequestUse(ctx, signertest.Clerk, signer.UseRequest{Seal: id, Document: r.doc, Type: kind})
	if err != nil {
		return
	}
	if kind != "notice" && kind != "" {
		r.t.Fatalf("a request for %q was taken", kind)
	}
	r.open = append(r.open, u)
}

func (r *random) approve() {
	if len(r.open) == 0 {
		return
	}
	u := r.open[r.rnd.IntN(len(r.open))]
	if r.rnd.IntN(4) > 0 {
		r.Approvals.Say(u, "approval-"+u.ID)
	}
	if _, _, err := r.MarkApproved(ctx, signertest.Clerk, u.ID); err == nil {
		r.granted[u.ID] = r.Now()
	}
}

func (r *random) seal() {
	if len(r.open) == 0 {
		return
	}
	i := r.rnd.IntN(len(r.open))
	u := r.open[i]
	before, err := r.Register.Seal(ctx, id)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.Seal(ctx, signertest.Clerk, u.ID, r.doc, signer.Placement{}); err != nil {
		return
	}
	r.sealed++
	r.open = slices.Delete(r.open, i, i+1)
	at, granted := r.granted[u.ID]
	hour := r.Now().In(time.FixedZone("", 8*3600)).Hour()
	switch {
	case before.State != signer.SealActive:
		r.t.Errorf("sealed by a seal that is %s", before.State)
	case r.Now().After(before.ValidUntil) || r.Now().Before(before.ValidFrom):
		r.t.Errorf("sealed at %v, outside the period", r.Now())
	case hour < 8 || hour >= 18:
		r.t.Errorf("sealed at %d o'clock", hour)
	case !granted || r.Now().Sub(at) > 7*24*time.Hour:
		r.t.Errorf("sealed without a fresh approval (%v, %v)", granted, at)
	case r.sealed > r.quota:
		r.t.Errorf("%d sealed, the quota is %d", r.sealed, r.quota)
	}
}

func (r *random) clock() {
	step := []time.Duration{time.Hour, 7 * time.Hour, 26 * time.Hour}[r.rnd.IntN(3)]
	switch r.rnd.IntN(40) {
	case 0:
		step = 90 * 24 * time.Hour
	case 1, 2:
		step = 8 * 24 * time.Hour
	}
	r.Set(r.Now().Add(step))
}

func (r *random) suspend() { r.some(third(r.Life.Suspend(ctx, signertest.Keeper, id, "x"))) }
func (r *random) cancel()  { r.some(third(r.Life.Cancel(ctx, signertest.Keeper, id, "x"))) }
func (r *random) restart() { r.Restart(r.t) }

func (r *random) promote() {
	r.some(third(r.Life.File(ctx, signertest.Admin, id, life.Filing{})))
	r.some(third(r.Life.Activate(ctx, signertest.Admin, id)))
}

// resume asks, and the leader answers somehow or not at all.
func (r *random) resume() {
	r.some(third(r.Life.AskResume(ctx, signertest.Keeper, id, "x")))
	if e, _ := r.Register.Seal(ctx, id); e.Ask != nil && r.rnd.IntN(3) > 0 {
		r.Answer(r.t, id, r.rnd.IntN(3) > 0)
	}
	before, _ := r.Register.Seal(ctx, id)
	e, _, err := r.Life.Settle(ctx, signertest.Keeper, id)
	r.some(err)
	if err == nil && e.State == signer.SealActive && (before.Ask == nil || !r.Approvals.Asks[before.Ask.ID+" "+before.Ask.Digest].Yes) {
		r.t.Error("resumed without the leader's yes")
	}
}

// some lets the refusals of the rooms pass and nothing else.
func (r *random) some(err error) {
	for _, want := range []error{nil, signer.ErrSealState, life.ErrAsked, life.ErrNotAsked, signer.ErrNotApproved} {
		if errors.Is(err, want) {
			return
		}
	}
	r.t.Error(err)
}
