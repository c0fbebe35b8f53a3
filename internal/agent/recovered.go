package agent

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// Recovered is an encryption pair that came back (用户密钥恢复). It stands with the
// pairs of before: what was encrypted to it opens again.
type Recovered struct {
	ID     string `json:"id"`
	Serial string `json:"serial"` // of the encryption certificate, hex
	Key    string `json:"key"`    // file
}

// Recoveries lists the keys that the owner of this system asked for.
func (a *Agent) Recoveries(ctx context.Context) ([]wire.Recovery, error) {
	var list []wire.Recovery
	return list, call(ctx, a.http, http.MethodGet, a.base.JoinPath(wire.PathRecoveries).String(), nil, &list)
}

// Recover fetches a recovered key, which the house gives once. One that is for
// another signing key than the one in force is not fetched. What came is kept
// before it is opened, so that the same call after a fault goes on from there. It
// refuses a key that does not fit its certificate, and a certificate that the root
// does not vouch for.
func (a *Agent) Recover(ctx context.Context, r wire.Recovery) (Recovered, error) {
	own := ca.FormatSerial(a.signs[0].SerialNumber)
	if r.Receiver != own {
		return Recovered{}, fmt.Errorf("%w: recovery %.80q is for the signing certificate %.80q, not %s", ErrEnvelope, r.ID, r.Receiver, own)
	}
	old := filepath.Join(a.cfg.Dir, dirOld)
	if err := mkdir(old, 0o700); err != nil {
		return Recovered{}, err
	}
	name := keptName(r.ID)
	raw, err := read(old, name, private)
	if errors.Is(err, os.ErrNotExist) {
		raw, err = a.fetchRecovered(ctx, r.ID, filepath.Join(old, name))
	}
	if err != nil {
		return Recovered{}, err
	}
	var got wire.RecoveredKey
	if err := json.Unmarshal(raw, &got); err != nil {
		return Recovered{}, fmt.Errorf("%w: %s: %w", ErrFiles, name, err)
	}
	out, err := a.keepRecovered(old, r, got)
	if err != nil {
		return Recovered{}, err
	}
	if err := os.Remove(filepath.Join(old, name)); err != nil {
		return Recovered{}, fmt.Errorf("%w: %w", ErrFiles, err)
	}
	return out, syncDir(old)
}

// keptName is the file of what came: an id comes from outside, and names no file.
func keptName(id string) string { return "recovery-" + sm3Hex([]byte(id))[:16] + ".json" }

// Kept says whether a recovery was fetched, and could not be opened yet.
func (a *Agent) Kept(r wire.Recovery) bool {
	_, err := os.Lstat(filepath.Join(a.cfg.Dir, dirOld, keptName(r.ID)))
	return err == nil
}

// fetchRecovered takes the room on the disk before the one delivery is spent.
func (a *Agent) fetchRecovered(ctx context.Context, id, path string) ([]byte, error) {
	if err := reserve(a.cfg.Dir, nil); err != nil {
		return nil, err
	}
	var got wire.RecoveredKey
	err := call(ctx, a.http, http.MethodPost, a.base.JoinPath(wire.PathRecoveries, url.PathEscape(id), "delivery").String(), nil, &got)
	_ = os.Remove(reservePath(a.cfg.Dir)) // the room that was kept for what follows
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(got)
	if err != nil {
		return nil, fmt.Errorf("agent: encode what came: %w", err)
	}
	return raw, writeFile(path, raw, 0o600)
}

// keepRecovered opens the envelope and puts certificate and key aside, the key
// last: readOld goes by it.
func (a *Agent) keepRecovered(old string, r wire.Recovery, got wire.RecoveredKey) (Recovered, error) {
	key, err := sm2.ParseEnvelopedPrivateKey(a.m.sign, got.EnvelopedKey)
	if err != nil {
		return Recovered{}, fmt.Errorf("%w: recovered key: %w", ErrEnvelope, err)
	}
	cert, err := a.cfg.vouchedOnce(got)
	if err != nil {
		return Recovered{}, err
	}
	if pub, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok || !pub.Equal(&key.PublicKey) {
		return Recovered{}, fmt.Errorf("%w: the recovered key is not that of its certificate", ErrEnvelope)
	}
	serial := ca.FormatSerial(cert.SerialNumber)
	if got.ID != r.ID || serial != r.EncSerial {
		return Recovered{}, fmt.Errorf("%w: it is key %s of recovery %.80q", ErrEnvelope, serial, got.ID)
	}
	name := filepath.Join(old, serial)
	if err := writeCerts(name+".crt", slices.Insert(slices.Clone(got.Chain), 0, got.EncCert)...); err != nil {
		return Recovered{}, err
	}
	return Recovered{ID: r.ID, Serial: serial, Key: name + ".key"}, writeKey(name+".key", key, 0o600)
}

// vouchedOnce returns the encryption certificate, for which the root has to vouch
// as of its first day: that of a lost key may be over by now.
func (c Config) vouchedOnce(got wire.RecoveredKey) (*smx509.Certificate, error) {
	cert, err := smx509.ParseCertificate(got.EncCert)
	if err != nil || len(got.Chain) > maxChain {
		return nil, fmt.Errorf("%w: certificate of the recovered key", ErrEnvelope)
	}
	var issuers []*smx509.Certificate
	for _, der := range got.Chain {
		issuer, err := smx509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("%w: chain of the recovered key: %w", ErrEnvelope, err)
		}
		issuers = append(issuers, issuer)
	}
	then := cert.NotBefore
	for _, i := range issuers { // an authority may be younger by the backdating of its leaves
		if i.NotBefore.After(then) {
			then = i.NotBefore
		}
	}
	c.Now = func() time.Time { return then }
	if err := c.chained(cert, issuers); err != nil {
		return nil, fmt.Errorf("%w: certificate of the recovered key: %w", ErrEnvelope, err)
	}
	return cert, nil
}
