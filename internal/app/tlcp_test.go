package app

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"

	"github.com/yinxin-gov/yinxin/ca"
)

// The house's pair serves for two thirds of its life and then gives way to one
// with other keys, both of which are good in the registry meanwhile; a renewal
// that fails is not tried at each handshake, and the old pair serves.
func TestTLCPPairRenewsItselfWithNewKeys(t *testing.T) {
	w := newTown(t, 0)
	log := &logged{}
	w.cfg.Log = log.logger()
	first, err := w.issueTLCP(bg)
	ok(t, err)
	own := &tlcpPair{house: w.House, pair: first}
	now := func() string {
		p, err := own.current(bg)
		ok(t, err)
		return p.Sign.SerialNumber.String()
	}
	life := first.Sign.NotAfter.Sub(first.Sign.NotBefore)
	w.at = first.Sign.NotBefore.Add(life*2/3 - time.Minute)
	if now() != first.Sign.SerialNumber.String() {
		t.Error("renewed too early")
	}
	w.at = w.at.Add(2 * time.Minute)
	second, err := own.current(bg)
	ok(t, err)
	if second.Sign.Equal(first.Sign) || second.SignKey.(*sm2.PrivateKey).Equal(first.SignKey) || second.EncKey.(*sm2.PrivateKey).Equal(first.EncKey) {
		t.Error("the keys stayed")
	}
	all, err := w.rooms.CA.CertificatesOf(bg, serviceTLCP)
	ok(t, err)
	good := 0
	for _, c := range all {
		if c.State == ca.StateGood && c.Kind == ca.KindService {
			good++
		}
	}
	if good != 4 {
		t.Errorf("%d certificates in the registry", good)
	}
	w.cfg.Names = []string{"not a name"}
	w.at = w.at.Add(life * 2 / 3)
	for range 3 {
		if now() != second.Sign.SerialNumber.String() {
			t.Error("another pair is served")
		}
	}
	if n := strings.Count(log.String(), "renewing the TLCP certificates failed"); n != 1 {
		t.Errorf("%d tries in one minute", n)
	}
}

func TestTLCPSetting(t *testing.T) {
	cfg, ln := config(t, "")
	ok(t, ln.Close())
	cfg.TLCP = "127.0.0.1"
	wantErr(t, cfg.validate(), ErrConfig)
	cfg.TLCP = "127.0.0.1:8449"
	ok(t, os.MkdirAll(cfg.Dir, 0o700))
	ok(t, cfg.save(cfg.Dir))
	got, err := LoadSettings(cfg.Dir)
	ok(t, err)
	if got.TLCP != cfg.TLCP {
		t.Errorf("read back %q", got.TLCP)
	}
	t.Setenv(envPrefix+"TLCP", "localhost:1")
	if got, err = LoadSettings(cfg.Dir); err != nil || got.TLCP != "localhost:1" {
		t.Errorf("from the environment %q, %v", got.TLCP, err)
	}
	cfg.TLCP = ""
	ok(t, cfg.save(cfg.Dir))
	raw, err := os.ReadFile(filepath.Join(cfg.Dir, fileConfig))
	ok(t, err)
	if strings.Contains(string(raw), "tlcp") {
		t.Error("written where it is off")
	}
}

func TestListenersThatNobodyServesAreClosed(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	ok(t, Listeners{TLCP: ln}.Close())
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("err = %v", err)
	}
}
