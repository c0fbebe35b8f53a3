package store_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/internal/signin"
	"github.com/yinxin-gov/yinxin/internal/store"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/signertest"
)

// written is one record: how it goes in, how it is read, what must come back.
type written struct {
	name   string
	exists error // of a second one with its key
	add    func(*store.Rooms, ledger.Event) (ledger.Receipt, error)
	read   func(*store.Rooms) (any, error)
	want   any
}

type adder[T any] = func(context.Context, T, ledger.Event) (ledger.Receipt, error)

// kind makes records of one room's table.
func kind[T, K any](exists error, add func(*store.Rooms) adder[T], read func(*store.Rooms, K) (T, error)) func(string, T, K) written {
	return func(name string, v T, key K) written {
		return written{name, exists,
			func(r *store.Rooms, ev ledger.Event) (ledger.Receipt, error) { return add(r)(bg, v, ev) },
			func(r *store.Rooms) (any, error) { return read(r, key) }, truncated(v)}
	}
}

// truncated gives every time of a record the form that a store keeps.
func truncated[T any](v T) T {
	r := reflect.ValueOf(&v).Elem()
	for i := range r.NumField() {
		if t, isTime := r.Field(i).Interface().(time.Time); isTime {
			r.Field(i).Set(reflect.ValueOf(t.UTC().Truncate(time.Microsecond)))
		}
	}
	return v
}

// rows has every kind of record, full, and with only what the schema asks for,
// so that zero times, nil slices and empty texts come back too.
func rows(t testing.TB) []written {
	agencies := kind(identity.ErrExists,
		func(r *store.Rooms) adder[identity.Agency] { return r.Identity.AddAgency },
		func(r *store.Rooms, id identity.USCC) (identity.Agency, error) { return r.Identity.Agency(bg, id) })
	persons := kind(identity.ErrExists,
		func(r *store.Rooms) adder[identity.Person] { return r.Identity.AddPerson },
		func(r *store.Rooms, id string) (identity.Person, error) { return r.Identity.Person(bg, id) })
	systems := kind(identity.ErrExists,
		func(r *store.Rooms) adder[identity.System] { return r.Identity.AddSystem },
		func(r *store.Rooms, id string) (identity.System, error) { return r.Identity.System(bg, id) })
	posts := kind(identity.ErrExists,
		func(r *store.Rooms) adder[identity.Post] { return r.Identity.AddPost },
		func(r *store.Rooms, person string) (identity.Post, error) {
			held, err := r.Identity.PostsOf(bg, person)
			if len(held) != 1 {
				return identity.Post{}, identity.ErrNotFound
			}
			return held[0], err
		})
	gradings := kind(grading.ErrInvalid,
		func(r *store.Rooms) adder[grading.Record] { return r.Grading.AddGrading },
		func(r *store.Rooms, system string) (grading.Record, error) { return r.Grading.Grading(bg, system) })
	resources := kind(sharing.ErrExists,
		func(r *store.Rooms) adder[sharing.Resource] { return r.Sharing.AddResource },
		func(r *store.Rooms, id string) (sharing.Resource, error) { return r.Sharing.Resource(bg, id) })
	agreements := kind(sharing.ErrExists,
		func(r *store.Rooms) adder[sharing.Agreement] { return r.Sharing.AddAgreement },
		func(r *store.Rooms, id string) (sharing.Agreement, error) { return r.Sharing.Agreement(bg, id) })
	holdings := kind(sharing.ErrExists,
		func(r *store.Rooms) adder[sharing.Holding] { return r.Sharing.AddHolding },
		func(r *store.Rooms, id string) (sharing.Holding, error) { return r.Sharing.Holding(bg, id) })
	consents := kind(sharing.ErrExists,
		func(r *store.Rooms) adder[sharing.Consent] { return r.Sharing.AddConsent },
		func(r *store.Rooms, id string) (sharing.Consent, error) { return r.Sharing.Consent(bg, id) })
	approvals := kind(approval.ErrDecided,
		func(r *store.Rooms) adder[approval.Approval] { return r.Approvals.AddApproval },
		func(r *store.Rooms, s approval.Subject) (approval.Approval, error) {
			return r.Approvals.ApprovalOf(bg, s.Kind, s.ID)
		})
	lists := kind(status.ErrNumber,
		func(r *store.Rooms) adder[status.CRL] { return r.CA.AddCRL },
		func(r *store.Rooms, shard string) (status.CRL, error) {
			got, err := r.CA.CRLsSince(bg, "aa", shard, 7)
			if err != nil || len(got) == 0 {
				return status.CRL{}, errors.Join(err, status.ErrNoList)
			}
			return got[0], nil
		})
	requests := kind(ca.ErrExists,
		func(r *store.Rooms) adder[ca.Request] {
			return func(ctx context.Context, q ca.Request, ev ledger.Event) (ledger.Receipt, error) {
				return r.CA.AddRequests(ctx, []ca.Request{q}, ev)
			}
		},
		func(r *store.Rooms, id string) (ca.Request, error) { return r.CA.Request(bg, id) })
	certificates := kind(ca.ErrExists,
		func(r *store.Rooms) adder[ca.Certificate] {
			return func(ctx context.Context, c ca.Certificate, ev ledger.Event) (ledger.Receipt, error) {
				return r.CA.Reserve(ctx, []ca.Certificate{c}, nil, ev)
			}
		},
		func(r *store.Rooms, serial string) (ca.Certificate, error) { return r.CA.Certificate(bg, "aa", serial) })
	seals := kind(signer.ErrExists,
		func(r *store.Rooms) adder[signer.Seal] {
			return func(_ context.Context, e signer.Seal, ev ledger.Event) (ledger.Receipt, error) {
				return signertest.Put(r.Seals, e, ev)
			}
		},
		func(r *store.Rooms, id string) (signer.Seal, error) { return r.Seals.Seal(bg, id) })
	uses := kind(signer.ErrExists,
		func(r *store.Rooms) adder[signer.Use] { return r.Seals.AddUse },
		func(r *store.Rooms, id string) (signer.Use, error) { return r.Seals.Use(bg, id) })
	transfers := kind(exchange.ErrState,
		func(r *store.Rooms) adder[exchange.Transfer] { return r.Transfers.AddTransfer },
		func(r *store.Rooms, id string) (exchange.Transfer, error) { return r.Transfers.Transfer(bg, id) })
	links := kind(signin.ErrLink,
		func(r *store.Rooms) adder[signin.Link] { return r.Signin.AddLink },
		func(r *store.Rooms, hash string) (signin.Link, error) { return r.Signin.LinkByHash(bg, hash, day(1)) })
	sessions := kind(signin.ErrSession,
		func(r *store.Rooms) adder[signin.Session] { return r.Signin.AddSession },
		func(r *store.Rooms, hash string) (signin.Session, error) {
			return r.Signin.SessionByHash(bg, hash, day(1))
		})

	lowest := level.Label{Level: 1, RequiredS: 1, RequiredA: 1}
	branch, derived, refusal := agency("b1"), holding(t, "h2"), answer("ap2")
	branch.Parent = provider
	derived.Sources = []string{"h1"}
	refusal.Subject.ID, refusal.Approved = "u2", false
	return []written{
		agencies("agency", branch, "b1"),
		agencies("bare agency", identity.Agency{USCC: "b2"}, "b2"),
		persons("person", leaver("p1"), "p1"),
		persons("bare person", identity.Person{ID: "p2", Agency: provider}, "p2"),
		systems("system", system("s1"), "s1"),
		systems("bare system", identity.System{ID: "s2", Agency: provider}, "s2"),
		posts("post", post("po1", "p-1", identity.RoleClerk), "p-1"),
		posts("bare post", identity.Post{ID: "po2", Person: "p-2", Agency: provider}, "p-2"),
		gradings("grading", record(1, 3, 2), "civil-a"),
		gradings("bare grading", grading.Record{System: "s2", Version: 1, Grade: level.Grade{S: 1, A: 1}}, "s2"),
		resources("resource", resource(t, "r1"), "r1"),
		resources("bare resource", sharing.Resource{ID: "r2", Label: lowest}, "r2"),
		agreements("agreement", agreement("a1"), "a1"),
		agreements("bare agreement", sharing.Agreement{ID: "a2", Resource: "r-1"}, "a2"),
		holdings("holding", holding(t, "h1"), "h1"),
		holdings("derived holding", derived, "h2"),
		consents("consent", consent("co1"), "co1"),
		consents("bare consent", sharing.Consent{ID: "co2", Resource: "r-1", State: sharing.ConsentAsked}, "co2"),
		approvals("approval", answer("ap1"), answer("").Subject),
		approvals("refusal", refusal, refusal.Subject),
		lists("list", status.CRL{
			Issuer: "aa", Shard: "1of2", Number: 7, Base: 3, ThisUpdate: day(1), NextUpdate: day(2), Entries: 5, TBSSM3: "bb",
			TBS: []byte{0x30}, State: status.CRLPending,
		}, "1of2"),
		requests("request", request("q1"), "q1"),
		requests("bare request", ca.Request{ID: "q2", State: ca.RequestSubmitted}, "q2"),
		certificates("certificate", certificate("c1"), "c1"),
		certificates("bare certificate", ca.Certificate{Issuer: "aa", Serial: "c2", State: ca.StatePending}, "c2"),
		seals("seal", signertest.Full("s1"), "s1"),
		seals("bare seal", signer.Seal{ID: "s2", State: signer.SealApplied, Life: signer.Life{Revision: 1}}, "s2"),
		uses("use", use("u1"), "u1"),
		transfers("transfer", transfer(t, "t1"), "t1"),
		transfers("bare transfer", exchange.Transfer{ID: "t2", Label: lowest, State: exchange.StateSent}, "t2"),
		links("link", link("l1"), "l1"),
		sessions("session", session("e1"), "e1"),
	}
}

func TestRowsComeBackAsWrittenAndSurviveARestart(t *testing.T) {
	for name, address := range engines {
		t.Run(name, func(t *testing.T) {
			url := migrated(t, address(t))
			s := open(t, url)
			r := house(t, s)
			before, all := count(t, s, "ledger_outbox"), rows(t)
			for _, w := range all {
				got, err := w.add(r, event("row", w.name))
				if err != nil || got.Promise != ledger.Durable || got.EntryID == "" {
					t.Fatalf("%s: receipt %+v, %v", w.name, got, err)
				}
			}
			for _, w := range all {
				if _, err := w.add(r, event("row", w.name)); err == nil {
					t.Fatalf("%s: written twice", w.name)
				} else {
					wantErr(t, err, w.exists)
				}
			}
			if n := count(t, s, "ledger_outbox") - before; n != int64(len(all)) {
				t.Fatalf("%d events for %d rows: one a row, none for a refused one", n, len(all))
			}
			ok(t, s.Close())
			r = open(t, url).Rooms(nil)
			for _, w := range all {
				got, err := w.read(r)
				ok(t, err)
				if !reflect.DeepEqual(got, w.want) {
					t.Errorf("%s\n got %+v\nwant %+v", w.name, got, w.want)
				}
			}
		})
	}
}

func TestMissingRowsAreNotFound(t *testing.T) {
	sentinels := []error{identity.ErrNotFound, grading.ErrNotFound, sharing.ErrNotFound, approval.ErrNotFound,
		ca.ErrNotFound, status.ErrNoList, signer.ErrNotFound, exchange.ErrNotFound, signin.ErrLink, signin.ErrSession}
	onEngines(t, func(t *testing.T, s *store.Store) {
		for _, w := range rows(t) {
			if _, err := w.read(s.Rooms(nil)); !isAny(err, sentinels) {
				t.Errorf("%s: %v", w.name, err)
			}
		}
	})
}
