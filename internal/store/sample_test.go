package store_test

import (
	"testing"

	"github.com/yinxin-gov/yinxin/authz/approval"
	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/level"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/internal/signin"
	"github.com/yinxin-gov/yinxin/internal/store"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/signertest"
)

// The samples are full records: every field that a store must keep is set.
const (
	provider identity.USCC = "11110102000000001A"
	consumer identity.USCC = "11110102000000002B"
	office   identity.USCC = "11110102000000003C"
)

func label(t testing.TB, lv level.Level, s, a uint8, tags ...level.Tag) level.Label {
	t.Helper()
	l, err := level.New(lv, s, a, tags...)
	ok(t, err)
	return l
}

func agency(id identity.USCC) identity.Agency {
	return identity.Agency{
		USCC: id, Name: "区'民政局\"; --", Kind: identity.KindOrgan, District: "110102",
		Duties: []string{"relief", "救助"}, Sample: true, CreatedAt: day(1),
	}
}

func person(id string) identity.Person {
	return identity.Person{ID: id, Name: "王 芳", Agency: provider, KeyID: "k-1", CertDER: []byte{0x30, 0, 0xff}, CreatedAt: day(1)}
}

func leaver(id string) identity.Person {
	p := person(id)
	p.LeftAt = day(9)
	return p
}

func post(id, person string, role identity.Role) identity.Post {
	return identity.Post{ID: id, Person: person, Agency: provider, Role: role, Title: "科长", From: day(1), Until: day(20)}
}

func system(id string) identity.System {
	return identity.System{ID: id, Name: "低保系统", Agency: provider, Hosts: []string{id + ".gov.internal"}, Sample: true, CreatedAt: day(1)}
}

func record(version int, s, a uint8) grading.Record {
	return grading.Record{
		System: "civil-a", Version: version, Grade: level.Grade{S: s, A: a}, Reason: "定级报告", State: grading.StateCertified,
		BuildingUnit: provider, Filing: "11010213-00001", DecidedOn: day(1), AssessedOn: day(2), ValidUntil: day(28), Sample: true,
	}
}

func resource(t testing.TB, id string) sharing.Resource {
	return sharing.Resource{
		ID: id, Name: "低保名单", Provider: provider, Label: label(t, 2, 2, 1, level.TagPersonal),
		ShareType: sharing.ShareConditional, Regime: sharing.RegimeBeijing2017, Items: []string{"name", "amount"},
		SecrecyReview: "密审-1", Basis: "社会救助暂行办法", DefectNotice: "ab", UpdatedAt: day(1), Sample: true,
	}
}

func agreement(id string) sharing.Agreement {
	return sharing.Agreement{
		ID: id, Resource: "r-1", Provider: provider, Consumer: consumer, Office: office, Purposes: []string{"relief"},
		Fields: []string{"name"}, Onward: []identity.USCC{office}, Confidentiality: "条款", DefectAck: "ab",
		NotBefore: day(1), NotAfter: day(28), Digest: "cd", Sample: true,
		Seals: []sharing.PartySeal{{Party: provider, SealID: "s", CertDER: []byte{1}, Signature: []byte{2}, At: kept(1)}},
	}
}

func holding(t testing.TB, id string) sharing.Holding {
	return sharing.Holding{
		ID: id, System: "civil-a", Agency: consumer, Resource: "r-1", Agreement: "a-1", Label: label(t, 2, 2, 1, level.TagPersonal),
		Payload: "ef", Transfer: "t-1", At: day(3), Until: day(28),
	}
}

func answer(id string) approval.Approval {
	return approval.Approval{
		ID:       id,
		Subject:  approval.Subject{Kind: approval.KindSealUse, ID: "u-1", Digest: "ab", Unit: provider, Requester: "p-1"},
		Approved: true, Reason: "同意", Approver: "p-2", Role: identity.RoleUnitLeader, At: day(2),
		CertDER: []byte{0x30}, Signature: []byte{0x31},
	}
}

func request(id string) ca.Request {
	return ca.Request{
		ID: id, Agency: string(provider), System: "civil-" + id, CommonName: "civil-a", Organization: "民政局", Purpose: ca.PurposeProduction,
		Hosts: []string{"civil-a.gov.internal"}, SubmittedBy: "p-1", State: ca.RequestSubmitted, CreatedAt: day(1),
	}
}

func certificate(serial string) ca.Certificate {
	return ca.Certificate{
		Issuer: "aa", Serial: serial, Kind: ca.KindSM2Sign, Pair: "pair-" + serial, Agency: string(provider), System: "civil-a",
		Person: "p-1", Request: "q-1", Subject: "CN=civil-a", TBSSM3: "bb", TBS: []byte{0x30, 1}, State: ca.StatePending,
		NotBefore: day(1), NotAfter: day(28), CreatedAt: day(1),
	}
}

func use(id string) signer.Use {
	return signer.Use{ID: id, Seal: "11010200000001", Document: "ab", Title: "通知", Requester: "p-1", State: signer.UseRequested, CreatedAt: day(2)}
}

func transfer(t testing.TB, id string) exchange.Transfer {
	return exchange.Transfer{
		ID: id, FromSystem: "civil-a", ToSystem: "civil-b", Sender: string(provider), Receiver: string(consumer), Resource: "r-1",
		Agreement: "a-1", Purpose: "relief", Label: label(t, 2, 2, 1, level.TagPersonal, level.TagSensitive), Name: "通知.ofd",
		Document: "ab", EnvelopeSM3: "cd", Blob: "b/1", Decision: "d-1", State: exchange.StateSent, SentAt: day(3),
	}
}

func link(hash string) signin.Link {
	return signin.Link{Hash: hash, Person: "p-1", Purpose: "activate", Expires: day(5)}
}

func session(hash string) signin.Session {
	return signin.Session{Hash: hash, Person: "p-1", Expires: day(5)}
}

// house registers what other rows refer to: two agencies, two persons, two
// systems, a resource and a seal.
func house(t *testing.T, s *store.Store) *store.Rooms {
	t.Helper()
	r := s.Rooms(nil)
	for _, id := range []identity.USCC{provider, consumer} {
		_, err := r.Identity.AddAgency(bg, agency(id), event("agency", string(id)))
		ok(t, err)
	}
	for _, id := range []string{"p-1", "p-2"} {
		_, err := r.Identity.AddPerson(bg, person(id), event("person", id))
		ok(t, err)
	}
	for _, id := range []string{"civil-a", "civil-b"} {
		_, err := r.Identity.AddSystem(bg, system(id), event("system", id))
		ok(t, err)
	}
	_, err := r.Sharing.AddResource(bg, resource(t, "r-1"), event("resource", "r-1"))
	ok(t, err)
	signertest.Active(t, r.Seals, "11010200000001", signer.Authorisation{})
	return r
}
