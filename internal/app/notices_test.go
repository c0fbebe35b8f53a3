package app

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/closing"
	"github.com/yinxin-gov/yinxin/internal/console"
	"github.com/yinxin-gov/yinxin/internal/notify"
	"github.com/yinxin-gov/yinxin/signer/life"
)

// ear is a receiver of webhooks that remembers what it heard.
type ear struct {
	*httptest.Server
	mu    sync.Mutex
	heard []string
}

func newEar(t *testing.T) *ear {
	e := &ear{}
	e.Server = httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.heard = append(e.heard, string(body))
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *ear) channel(unit string) notify.Channel {
	return notify.Channel{
		Name: "样例", Kind: notify.Webhook, Address: e.URL + "/in", Unit: unit, Severity: notify.Info,
		Roots: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: e.Certificate().Raw}),
	}
}

// kinds are the types of what was heard since the last call.
func (e *ear) kinds() (out []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, body := range e.heard {
		_, rest, _ := strings.Cut(body, `"type":"yinxin.`)
		kind, _, _ := strings.Cut(rest, `"`)
		out = append(out, kind)
	}
	e.heard = nil
	return out
}

// What officers do to certificates, what nobody uses and what units are owed
// leaves the house, by channels that only its administrator keeps.
func TestNoticesLeaveTheHouse(t *testing.T) {
	w := newTown(t, 1)
	own, unit := identity.USCC(w.cfg.USCC), string(w.units[0].unit)
	w.cfg.Notices.Networks = []string{"127.0.0.0/8"}
	ok(t, w.openNotices())
	admin, agencys := w.person(own, identity.RoleSystemAdmin), w.person(w.units[0].unit, identity.RoleAgencySysadmin)
	by := func(p identity.Person) console.Person { return console.Person{ID: p.ID, Unit: string(p.Agency)} }
	house, theirs := newEar(t), newEar(t)
	for _, p := range []identity.Person{w.officer, agencys, w.units[0].clerk} {
		_, err := w.Desk.AddChannel(bg, by(p), house.channel(""))
		wantErr(t, err, console.ErrForbidden)
	}
	_, err := w.Desk.AddChannel(bg, by(admin), house.channel("nobody"))
	wantErr(t, err, console.ErrForm)
	for e, of := range map[*ear]string{house: "", theirs: unit} {
		secret, err := w.Desk.AddChannel(bg, by(admin), e.channel(of))
		if ok(t, err); !strings.HasPrefix(secret, "whsec_") {
			t.Errorf("%q", secret)
		}
	}
	round := func() {
		w.at = w.at.Add(time.Second)
		ok(t, w.Notices.Round(bg))
	}
	sign, _ := w.paired("civil-x")
	_, _, err = w.CA.Hold(bg, w.actor(w.officer), sign.Issuer, sign.Serial, "张三丢失设备")
	ok(t, err)
	ok(t, w.CA.Revoke(bg, w.actor(w.officer), sign.Issuer, sign.Serial, ca.ReasonKeyCompromise))
	w.paired("civil-y")
	w.at = w.at.AddDate(0, 0, 100)
	_, err = w.Idle.Round(bg)
	ok(t, err)
	round()
	house.mu.Lock()
	if all := strings.Join(house.heard, ""); strings.Contains(all, "张三") || !strings.Contains(all, `"system":"civil-x"`) || !strings.Contains(all, `"unit":"`+w.cfg.USCC) {
		t.Errorf("%s", all)
	}
	house.mu.Unlock()
	if got := house.kinds(); !slices.Equal(got, []string{"certificate.held", "certificate.revoked", "system.unused"}) {
		t.Errorf("the house hears %v", got)
	}
	if got := theirs.kinds(); len(got) != 0 {
		t.Errorf("another unit hears %v", got)
	}

	// A notice that a unit is owed is delivered when the unit took it.
	owed := life.Notice{ID: newID(), Compromise: newID(), Unit: unit, Documents: []string{"ab"}, At: w.at}
	wantErr(t, told{w.House}.Notify(bg, owed), life.ErrOnItsWay)
	end := closing.Act{ID: newID(), At: w.at.AddDate(0, 6, 0)}
	toUnit := closing.NoticeTo{Announcement: end.ID, Holder: closing.Holder{Kind: closing.HolderUnit, ID: unit, Agency: unit}, At: w.at}
	wantErr(t, told{w.House}.NotifyClosing(bg, end, toUnit), closing.ErrOnItsWay)
	round()
	ok(t, told{w.House}.Notify(bg, owed))
	ok(t, told{w.House}.NotifyClosing(bg, end, toUnit))
	if got := theirs.kinds(); !slices.Equal(got, []string{"seal.relied", "service.closing"}) {
		t.Errorf("the unit hears %v", got)
	}

	// A year on, what was not renewed is about to end.
	w.at = sign.NotAfter.AddDate(0, 0, -20)
	ok(t, w.Notices.Remind(bg))
	round()
	if got := house.kinds(); !slices.Contains(got, "certificate.expiring") {
		t.Errorf("the house hears %v", got)
	}

	list, err := w.Desk.Notices(bg, by(admin))
	if ok(t, err); len(list.Channels) != 2 || !list.MayWrite || len(list.Recent) < 5 || list.Channels[0].Secret != nil {
		t.Errorf("%+v", list)
	}
	list, err = w.Desk.Notices(bg, by(agencys))
	if ok(t, err); len(list.Channels) != 0 || list.Sees || list.MayWrite || slices.ContainsFunc(list.Recent, func(n notify.Notice) bool { return n.Unit != unit }) || len(list.Recent) < 2 {
		t.Errorf("%+v", list)
	}
	_, err = w.Desk.Notices(bg, by(w.units[0].clerk))
	wantErr(t, err, console.ErrForbidden)
	wantErr(t, w.Desk.MoveChannel(bg, by(agencys), "x", notify.Paused), console.ErrForbidden)
	wantErr(t, w.Desk.TestChannel(bg, by(agencys), "x"), console.ErrForbidden)
	wantErr(t, w.Desk.RetryNotice(bg, by(agencys), "x", "y"), console.ErrForbidden)
}

func TestNoticeSettings(t *testing.T) {
	for _, bad := range []NoticeSettings{{Networks: []string{"10.0.0.1"}}, {Networks: []string{"10.0.0.1/8"}}, {Enterprise: -1}} {
		wantErr(t, bad.validate(), ErrConfig)
	}
	ok(t, NoticeSettings{Networks: []string{"10.0.0.0/8", "fd00::/8"}, Enterprise: 1}.validate())
}
