package console

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/ca/acmestore"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

func (d *deskOf) ACME(context.Context, Person) (ACMEList, error) {
	return ACMEList{
		Requests: []ACMERequest{{ID: "r-1", System: "civil-a", Hosts: []string{"a.gov.internal"}, Until: at}},
		Texts:    []acmestore.Text{{Name: "_acme-challenge.a.gov.internal", Value: "value", System: "civil-a", ExpiresAt: at}},
	}, nil
}

func (d *deskOf) DrawACMEKey(_ context.Context, _ Person, id string) (wire.ACMEKeyAnswer, error) {
	return wire.ACMEKeyAnswer{System: "civil-a", Directory: "https://localhost/acme/acme/directory", KID: "kid-1", HMAC: "hmac-shown-once", TextPassword: "password-shown-once", Expires: at}, d.act("key %s", id)
}

func (d *deskOf) DropText(_ context.Context, _ Person, t acmestore.Text) error {
	return d.act("drop %s %s %s", t.System, t.Name, t.Value)
}

// The key stands on the answer and on no other page, and in no log.
func TestACMEKeyIsShownOnce(t *testing.T) {
	h, d := newDesk(t)
	secrets := []string{"hmac-shown-once", "password-shown-once"}
	drawn := h.ask(http.MethodPost, "/console/acme/r-1/key", formType, "")
	page := h.ask(http.MethodGet, "/console/acme", "", "").Body.String()
	for _, s := range secrets {
		if drawn.Code != http.StatusOK || !strings.Contains(drawn.Body.String(), s) || strings.Contains(page, s) || strings.Contains(h.log.String(), s) {
			t.Errorf("%s: %d", s, drawn.Code)
		}
	}
	d.err = ErrDrawn
	if w := h.ask(http.MethodPost, "/console/acme/r-1/key", formType, ""); w.Code != http.StatusConflict || strings.Contains(w.Body.String(), secrets[0]) {
		t.Errorf("drawn twice: %d", w.Code)
	}
	d.err, d.acted = nil, nil
	w := h.ask(http.MethodPost, "/console/acme/texts/delete", formType, "system=civil-a&name=_acme-challenge.a&value=v")
	if got := strings.Join(d.acted, ""); w.Code != http.StatusSeeOther || got != "drop civil-a _acme-challenge.a v" {
		t.Errorf("%d %s", w.Code, got)
	}
}
