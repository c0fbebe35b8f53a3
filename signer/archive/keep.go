package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer/revocation"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// kept is which certificates and status data a package keeps.
type kept struct {
	status *revocation.Set
	certs  [][]byte // with whole chains
	dir    string   // in front of the folders: "" or that of a renewal
	now    time.Time
}

// keep collects the chain of every certificate that the document, the archiving
// unit and the ledger use.
func (c *Config) keep(p *parts, ev *Evidence, now time.Time) *kept {
	certs := append(slices.Clone(p.certs), c.CertDER)
	if ev != nil {
		certs = append(certs, ev.CertDER)
	}
	return keep(c.Trust, c.Status, certs, c.Chain, now)
}

func keep(trust *verify.Trust, captured *revocation.Set, certs, carried [][]byte, now time.Time) *kept {
	k := &kept{status: revocation.New(func() time.Time { return now }), now: now}
	carried = append(slices.Clone(certs), carried...)
	for _, der := range unique(certs) {
		k.certs = append(k.certs, der)
		at := now
		if cert, err := smx509.ParseCertificate(der); err == nil && now.After(cert.NotAfter) {
			at = cert.NotAfter // it has ended: the chain still tells who vouched
		}
		for _, up := range trust.Path(der, at, carried...) {
			k.certs = append(k.certs, up.Raw)
		}
	}
	k.certs = unique(k.certs)
	if captured != nil {
		k.status.Join(captured)
	}
	k.status.AddIssuers(k.certs...)
	k.status.AddIssuers(trust.Anchors()...)
	return k
}

func (k *kept) certificates() (out []file) {
	for _, der := range k.certs {
		out = append(out, file{k.dir + certName(der), der})
	}
	return out
}

// fileCaptured says when status data were captured, and what they say.
const fileCaptured = dirStatus + "captured.json"

type captured struct {
	At           string           `json:"captured_at"`
	Items        []capturedItem   `json:"items"`
	Certificates []capturedStatus `json:"certificates"`
}

type capturedItem struct {
	File       string          `json:"file"`
	Kind       revocation.Kind `json:"kind"`
	ThisUpdate string          `json:"this_update"`
	NextUpdate string          `json:"next_update,omitempty"`
}

type capturedStatus struct {
	File      string `json:"file"`
	Known     bool   `json:"known"`
	RevokedAt string `json:"revoked_at,omitempty"`
}

// statusFiles are the lists and responses that speak about any of the
// certificates, each once.
func (k *kept) statusFiles(ctx context.Context) ([]file, error) {
	var out []file
	note := captured{At: stamp(k.now), Items: []capturedItem{}, Certificates: []capturedStatus{}}
	for _, der := range k.certs {
		items, err := k.status.Items(ctx, der)
		if errors.Is(err, revocation.ErrFormat) {
			continue // a certificate that strict parsers refuse: nothing can speak about it
		}
		if err != nil {
			return nil, err
		}
		at, known, err := k.status.RevokedBy(ctx, der, k.now)
		if err != nil {
			return nil, err
		}
		line := capturedStatus{File: certName(der), Known: known}
		if !at.IsZero() {
			line.RevokedAt = stamp(at)
		}
		note.Certificates = append(note.Certificates, line)
		for _, i := range items {
			name := dirStatus + shortName(i.Raw) + "." + string(i.Kind)
			if slices.ContainsFunc(out, func(f file) bool { return f.path == k.dir+name }) {
				continue
			}
			out = append(out, file{k.dir + name, i.Raw})
			line := capturedItem{File: name, Kind: i.Kind, ThisUpdate: stamp(i.ThisUpdate)}
			if !i.NextUpdate.IsZero() {
				line.NextUpdate = stamp(i.NextUpdate)
			}
			note.Items = append(note.Items, line)
		}
	}
	b, err := marshal(note)
	if err != nil {
		return nil, fmt.Errorf("archive: encode status: %w", err)
	}
	return append(out, file{k.dir + fileCaptured, b}), nil
}
