package catest

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/ra"
)

// Registered is what one store is for both: requests and certificates.
type Registered interface {
	ca.Registry
	ca.Deliveries
	ra.Requests
}

// RunRequests is the conformance suite of ra.Requests.
func RunRequests(t *testing.T, open func(*testing.T) Registered) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Registered){
		"a request is reviewed by one of eight":          reviewedOnce,
		"a request is approved by one of eight":          approvedOnce,
		"nobody approves what he submitted or checked":   approvedByAnother,
		"nothing is approved without a review":           noApprovalWithoutReview,
		"a request opens once":                           openOnce,
		"an import is all or nothing":                    allOrNothing,
		"a new token ends the one before":                tokenReplaced,
		"what is withdrawn opens nothing":                withdrawnOpensNothing,
		"a withdrawal and a claim: one of them":          withdrawnOrClaimed,
		"a token opens for one of eight":                 tokenOnce,
		"a token expires":                                tokenExpires,
		"requests are listed newest first, by who asked": listed,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// submitted is a request that nobody has looked at.
func submitted(now time.Time) ca.Request {
	id := uuid.Must(uuid.NewV7()).String()
	return ca.Request{
		ID: id, Agency: "11110102MB1234567M", System: "s-" + id, CommonName: "a.gov", Organization: "甲", Hosts: []string{"a.gov"},
		Purpose: ca.PurposeTest, SubmittedBy: "p-1", State: ca.RequestSubmitted, CreatedAt: now.UTC().Truncate(time.Microsecond), Batch: "b-1",
	}
}

func add(t *testing.T, reg ra.Requests, q ca.Request) ca.Request {
	t.Helper()
	if _, err := reg.AddRequests(context.Background(), []ca.Request{q}, event()); err != nil {
		t.Fatal(err)
	}
	return q
}

func reviewed(q ca.Request) ca.Request {
	q.State, q.ReviewedBy, q.ReviewedAt = ca.RequestReviewed, "p-3", q.CreatedAt.Truncate(time.Second)
	q.Evidence = []ca.Evidence{{Kind: ca.EvidenceUSCC, Number: q.Agency, Method: ca.MethodRegister, Note: "一致"}, {Kind: ca.EvidenceHandler, Digest: "ab", Salt: "cd", Method: ca.MethodOriginal}}
	return q
}

func approved(q ca.Request) ca.Request {
	q.State, q.DecidedBy, q.Approval, q.TokenExpires = ca.RequestApproved, "p-2", "a-1", q.CreatedAt.Add(time.Hour)
	return q
}

// Approve walks a submitted request to its token, whose hash is returned in it.
// It is what tests of other rooms need of a store.
func Approve(t testing.TB, reg ra.Requests, q ca.Request) ca.Request {
	t.Helper()
	ctx := context.Background()
	q = reviewed(q)
	if _, err := reg.ReviewRequest(ctx, q, event()); err != nil {
		t.Fatal(err)
	}
	q = approved(q)
	if _, err := reg.DecideRequest(ctx, q, event()); err != nil {
		t.Fatal(err)
	}
	sum := sm3.Sum([]byte(q.ID))
	q.TokenHash = hex.EncodeToString(sum[:])
	if _, err := reg.SetToken(ctx, q.ID, q.TokenHash, q.CreatedAt, event()); err != nil {
		t.Fatal(err)
	}
	return q
}

func approvedRequest(t *testing.T, reg Registered, now time.Time) ca.Request {
	t.Helper()
	return Approve(t, reg, add(t, reg, submitted(now)))
}

// claimToken has a basis of its own: the token alone decides.
func claimToken(t testing.TB, reg ca.Deliveries, hash string, at time.Time) error {
	t.Helper()
	return Begin(t, reg, ca.Claim{Basis: "token:" + uuid.NewString(), Token: hash, Now: at, Until: at.Add(time.Minute)})
}

func reviewedOnce(t *testing.T, reg Registered) {
	ctx := context.Background()
	q := add(t, reg, submitted(time.Now()))
	race(t, ca.ErrDecided, func() error { _, err := reg.ReviewRequest(ctx, reviewed(q), event()); return err })
	got, err := reg.Request(ctx, q.ID)
	if want := reviewed(q); err != nil || ca.RequestDigest(got) != ca.RequestDigest(want) || got.Batch != q.Batch || !slices.Equal(got.Evidence, want.Evidence) {
		t.Errorf("read back %+v, %v", got, err)
	}
	if _, err := reg.ReviewRequest(ctx, reviewed(submitted(time.Now())), event()); !errors.Is(err, ca.ErrNotFound) {
		t.Errorf("unknown request: %v", err)
	}
}

func approvedOnce(t *testing.T, reg Registered) {
	ctx := context.Background()
	q := reviewed(add(t, reg, submitted(time.Now())))
	if _, err := reg.ReviewRequest(ctx, q, event()); err != nil {
		t.Fatal(err)
	}
	race(t, ca.ErrDecided, func() error { _, err := reg.DecideRequest(ctx, approved(q), event()); return err })
	got, err := reg.Request(ctx, q.ID)
	if err != nil || got.State != ca.RequestApproved || got.Approval != "a-1" || got.DecidedBy != "p-2" || got.TokenHash != "" || !got.TokenExpires.Equal(approved(q).TokenExpires) {
		t.Errorf("read back %+v, %v", got, err)
	}
	if _, err := reg.Request(ctx, "unknown"); !errors.Is(err, ca.ErrNotFound) {
		t.Errorf("unknown request: %v", err)
	}
}

func approvedByAnother(t *testing.T, reg Registered) {
	ctx := context.Background()
	q := reviewed(add(t, reg, submitted(time.Now())))
	if _, err := reg.ReviewRequest(ctx, q, event()); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{q.SubmittedBy, q.ReviewedBy} {
		own := approved(q)
		own.DecidedBy = who
		if _, err := reg.DecideRequest(ctx, own, event()); !errors.Is(err, ca.ErrSelf) {
			t.Errorf("%s: %v", who, err)
		}
	}
	if got, err := reg.Request(ctx, q.ID); err != nil || got.State != ca.RequestReviewed {
		t.Errorf("moved to %s, %v", got.State, err)
	}
}

func noApprovalWithoutReview(t *testing.T, reg Registered) {
	ctx := context.Background()
	q := add(t, reg, submitted(time.Now()))
	if _, err := reg.DecideRequest(ctx, approved(q), event()); !errors.Is(err, ca.ErrDecided) {
		t.Errorf("approved unseen: %v", err)
	}
	if _, err := reg.SetToken(ctx, q.ID, hex.EncodeToString(make([]byte, 32)), q.CreatedAt, event()); !errors.Is(err, ca.ErrDecided) {
		t.Errorf("a token for nothing: %v", err)
	}
	refused := q
	refused.State, refused.DecidedBy, refused.Reason = ca.RequestRefused, "p-2", "材料不全"
	if _, err := reg.DecideRequest(ctx, refused, event()); err != nil {
		t.Errorf("a refusal needs no review: %v", err)
	}
	if got, err := reg.Request(ctx, q.ID); err != nil || got.State != ca.RequestRefused || got.Reason != "材料不全" {
		t.Errorf("read back %+v, %v", got, err)
	}
}

func openOnce(t *testing.T, reg Registered) {
	ctx, first := context.Background(), submitted(time.Now())
	race(t, ra.ErrOpen, func() error {
		q := submitted(time.Now())
		q.System, q.Hosts = first.System, first.Hosts
		_, err := reg.AddRequests(ctx, []ca.Request{q}, event())
		return err
	})
	other := submitted(time.Now())
	other.System, other.Purpose = first.System, ca.PurposeProduction
	add(t, reg, other) // for another purpose
	open, err := reg.Requests(ctx, ra.Query{})
	if err != nil || len(open) != 2 {
		t.Fatalf("%d requests, %v", len(open), err)
	}
	for _, q := range open {
		q.State, q.DecidedBy, q.Reason = ca.RequestRefused, "p-2", "重复"
		if _, err := reg.DecideRequest(ctx, q, event()); err != nil {
			t.Fatal(err)
		}
	}
	again := submitted(time.Now())
	again.System = first.System
	add(t, reg, again) // after the decision
}

func allOrNothing(t *testing.T, reg Registered) {
	ctx, there := context.Background(), add(t, reg, submitted(time.Now()))
	fresh, twin := submitted(time.Now()), submitted(time.Now())
	twin.System = there.System
	if _, err := reg.AddRequests(ctx, []ca.Request{fresh, twin}, event()); !errors.Is(err, ra.ErrOpen) {
		t.Errorf("one of them is open: %v", err)
	}
	if _, err := reg.AddRequests(ctx, []ca.Request{fresh, {ID: there.ID, System: "x", SubmittedBy: "p-1", State: ca.RequestSubmitted, CreatedAt: fresh.CreatedAt}}, event()); !errors.Is(err, ca.ErrExists) {
		t.Errorf("one of them exists: %v", err)
	}
	if _, err := reg.Request(ctx, fresh.ID); !errors.Is(err, ca.ErrNotFound) {
		t.Errorf("half of it was written: %v", err)
	}
	many := make([]ca.Request, 1000)
	for i := range many {
		many[i] = submitted(time.Now())
	}
	if _, err := reg.AddRequests(ctx, many, event()); err != nil {
		t.Errorf("1000 requests: %v", err)
	}
	if all, err := reg.Requests(ctx, ra.Query{Limit: 2000}); err != nil || len(all) != 1001 {
		t.Errorf("%d requests, %v", len(all), err)
	}
}

func tokenReplaced(t *testing.T, reg Registered) {
	ctx, now := context.Background(), time.Now()
	q := approvedRequest(t, reg, now)
	next := ca.TokenHash("another " + q.ID)
	if _, err := reg.SetToken(ctx, q.ID, next, now, event()); err != nil {
		t.Fatal(err)
	}
	if _, err := reg.RequestByToken(ctx, q.TokenHash, now); !errors.Is(err, ca.ErrToken) {
		t.Errorf("the token before: %v", err)
	}
	if _, err := reg.SetToken(ctx, q.ID, ca.TokenHash("late"), q.TokenExpires, event()); !errors.Is(err, ca.ErrDecided) {
		t.Errorf("after the approval's end: %v", err)
	}
	if err := claimToken(t, reg, next, now); err != nil {
		t.Errorf("the new token: %v", err)
	}
	if _, err := reg.SetToken(ctx, q.ID, ca.TokenHash("third"), now, event()); !errors.Is(err, ca.ErrDecided) {
		t.Errorf("after the issue: %v", err)
	}
}

func tokenOnce(t *testing.T, reg Registered) {
	for range shortRounds() {
		oneTokenOnce(t, reg)
	}
}

func oneTokenOnce(t *testing.T, reg Registered) {
	ctx, now := context.Background(), time.Now()
	q := approvedRequest(t, reg, now)
	if got, err := reg.RequestByToken(ctx, q.TokenHash, now); err != nil || got.ID != q.ID {
		t.Fatalf("look: %v", err)
	}
	race(t, ca.ErrToken, func() error { return claimToken(t, reg, q.TokenHash, now) })
	if got, err := reg.Request(ctx, q.ID); err != nil || got.State != ca.RequestIssued || !got.TokenUsed.Equal(now.UTC().Truncate(time.Microsecond)) {
		t.Errorf("claimed %+v, %v", got, err)
	}
	if _, err := reg.RequestByToken(ctx, q.TokenHash, now); !errors.Is(err, ca.ErrToken) {
		t.Errorf("look at a used token: %v", err)
	}
}

func tokenExpires(t *testing.T, reg Registered) {
	ctx, now := context.Background(), time.Now()
	q := approvedRequest(t, reg, now)
	for _, late := range []time.Time{q.TokenExpires, q.TokenExpires.Add(time.Second)} {
		if err := claimToken(t, reg, q.TokenHash, late); !errors.Is(err, ca.ErrToken) {
			t.Errorf("claim at %s: %v", late, err)
		}
	}
	for _, hash := range []string{"", "0000"} {
		if _, err := reg.RequestByToken(ctx, hash, now); !errors.Is(err, ca.ErrToken) {
			t.Errorf("hash %q: %v", hash, err)
		}
	}
}

func withdrawnOpensNothing(t *testing.T, reg Registered) {
	ctx, now := context.Background(), time.Now()
	q := approvedRequest(t, reg, now)
	q.State, q.Reason = ca.RequestWithdrawn, "不再需要"
	if _, err := reg.WithdrawRequest(ctx, q, event()); err != nil {
		t.Fatal(err)
	}
	if err := claimToken(t, reg, q.TokenHash, now); !errors.Is(err, ca.ErrToken) {
		t.Errorf("its token: %v", err)
	}
	if _, err := reg.WithdrawRequest(ctx, q, event()); !errors.Is(err, ca.ErrDecided) {
		t.Errorf("withdrawn twice: %v", err)
	}
	if got, err := reg.Request(ctx, q.ID); err != nil || got.State != ca.RequestWithdrawn || got.Reason != "不再需要" || got.TokenHash != "" {
		t.Errorf("read back %+v, %v", got, err)
	}
}

func withdrawnOrClaimed(t *testing.T, reg Registered) {
	ctx, now := context.Background(), time.Now()
	for range 4 {
		q := approvedRequest(t, reg, now)
		done := make(chan error, 2)
		go func() { done <- claimToken(t, reg, q.TokenHash, now) }()
		go func() { _, err := reg.WithdrawRequest(ctx, q, event()); done <- err }()
		a, b := <-done, <-done
		if (a == nil) == (b == nil) {
			t.Errorf("claimed and withdrawn: %v, %v", a, b)
		}
	}
}

func listed(t *testing.T, reg Registered) {
	ctx, now := context.Background(), time.Now()
	var ids []string
	for i := range 3 {
		q := submitted(now.Add(time.Duration(i) * time.Minute))
		ids = append(ids, add(t, reg, q).ID)
	}
	other := submitted(now)
	other.Agency = "11110103MB1234567K"
	add(t, reg, other)
	got, err := reg.Requests(ctx, ra.Query{Agency: "11110102MB1234567M", States: []ca.RequestState{ca.RequestSubmitted}, Limit: 2})
	if err != nil || len(got) != 2 || got[0].ID != ids[2] || got[1].ID != ids[1] {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := reg.Requests(ctx, ra.Query{States: []ca.RequestState{ca.RequestIssued}}); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}
