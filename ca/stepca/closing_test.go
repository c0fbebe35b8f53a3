package stepca_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/stepca"
)

// horizon is the announced end of the service.
type horizon struct {
	mu  sync.Mutex
	end time.Time
	err error
}

func (x *horizon) Horizon(context.Context) (time.Time, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.end, x.err
}

func (x *horizon) set(end time.Time, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.end, x.err = end, err
}

// 电子签名法 art. 23: tokens, renewals, ACME orders and the house's own
// certificates end before the announced day, or are refused with it.
func TestNothingOutlivesTheAnnouncedEnd(t *testing.T) {
	x := &horizon{}
	o := newOffice(t, func(c *stepca.Config) { c.Horizon = x })
	client := o.registered(t)
	pair, _ := o.enrol(t)
	end := time.Now().Add(10 * 24 * time.Hour).UTC().Truncate(time.Second)
	x.set(end, nil)

	got, _, err := o.obtain(t, client, "http-01", host)
	if err != nil || !got.NotAfter.Equal(end.Add(-time.Second)) {
		t.Fatalf("ACME: %v, %v", got, err)
	}
	c := o.client(pair)
	renewed := o.post(t, c, "/1.0/renew", nil)
	if renewed.Status != http.StatusCreated || !renewed.leaf(t).NotAfter.Before(end) {
		t.Errorf("renewal: %d %s", renewed.Status, renewed.Message)
	}

	x.set(time.Now().Add(time.Hour), nil)
	r := o.request(t, ca.RequestApproved)
	var ends *ca.ClosingError
	if _, err := o.MintToken(t.Context(), r, uuid.NewString()); !errors.As(err, &ends) {
		t.Errorf("a token an hour before the end: %v", err)
	}
	day := time.Now().Add(time.Hour).In(time.FixedZone("UTC+8", 8*3600)).Format(time.DateOnly)
	if late := o.post(t, c, "/1.0/renew", nil); late.Status != http.StatusForbidden || !strings.Contains(late.Message, day) {
		t.Errorf("renewal an hour before the end: %d %s", late.Status, late.Message)
	}
	if _, _, err := o.obtain(t, client, "http-01", host); err == nil || !strings.Contains(err.Error(), day) || problemOf(err) != "unauthorized" {
		t.Errorf("ACME order an hour before the end: %v", err)
	}
	if _, err := o.ServerCertificate(t.Context(), []string{"localhost"}); err != nil {
		t.Errorf("the house itself: %v", err)
	}

	x.set(time.Now(), nil)
	if _, err := o.ServerCertificate(t.Context(), []string{"localhost"}); !errors.Is(err, ca.ErrClosing) {
		t.Errorf("the house itself, at the end: %v", err)
	}
	x.set(time.Time{}, errors.New("disk"))
	if late := o.post(t, c, "/1.0/renew", nil); late.Status < http.StatusInternalServerError {
		t.Errorf("unknown: %d %s", late.Status, late.Message)
	}
	x.set(time.Time{}, nil)
	if again := o.post(t, o.client(&tls.Certificate{Certificate: pair.Certificate, PrivateKey: pair.PrivateKey}), "/1.0/renew", nil); again.Status != http.StatusCreated {
		t.Errorf("withdrawn: %d %s", again.Status, again.Message)
	}
}
