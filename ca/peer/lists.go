package peer

import (
	"context"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/internal/text"
)

// MaxList bounds a list of revoked certificates, in bytes.
const MaxList = 8 << 20

// skew is how far ahead another clock may be.
const skew = 5 * time.Minute

const keyCompromise = 1 // RFC 5280 5.3.1

// revocations is a list as it is asked.
type revocations struct {
	sm3        string
	this, next time.Time
	gone       map[string]smx509.RevocationListEntry // by serial, hex
}

// listCache keeps what was parsed last, by domain and authority.
type listCache struct {
	mu   sync.Mutex
	kept map[[2]string]*revocations // guarded by mu
}

func issuerID(c *smx509.Certificate) string {
	return profile.IssuerID(c.RawSubject, c.RawSubjectPublicKeyInfo)
}

// parseList reads a whole list that an authority signed. What narrows its scope
// (RFC 5280 5.2.4, 5.2.5) or is critical and unknown spoils it: it would be read as
// saying that the rest is good.
func parseList(der []byte, by *smx509.Certificate) (*smx509.RevocationList, error) {
	bad := func(why string) error { return fmt.Errorf("%w: %s", ErrList, why) }
	if len(der) > MaxList {
		return nil, bad("it is too large")
	}
	l, err := smx509.ParseRevocationList(der)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrList, err)
	case len(l.Raw) != len(der):
		return nil, bad("something follows it")
	case string(l.RawIssuer) != string(by.RawSubject):
		return nil, bad("it is another authority's")
	}
	if err := l.CheckSignatureFrom(by); err != nil {
		return nil, fmt.Errorf("%w: signature: %w", ErrList, err)
	}
	if l.NextUpdate.IsZero() || !l.NextUpdate.After(l.ThisUpdate) {
		return nil, bad("it does not say until when it holds")
	}
	for _, x := range l.Extensions {
		switch {
		case x.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 27}):
			return nil, bad("it is a delta")
		case x.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 28}):
			return nil, bad("it speaks of a part of the certificates only")
		case x.Critical && !x.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 35}) && !x.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 20}):
			return nil, bad("it has a critical extension that is not known here")
		}
	}
	for _, e := range l.RevokedCertificateEntries {
		for _, x := range e.Extensions {
			if x.Critical && !x.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 21}) && !x.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 24}) {
				return nil, bad("an entry has a critical extension that is not known here")
			}
		}
	}
	return l, nil
}

// Import keeps a list that a person brought. It has to be signed by a registered
// authority of the domain, so one person is enough.
func (s *Service) Import(ctx context.Context, actor ledger.Actor, domain string, raw []byte, source string) (List, error) {
	if err := s.may(ctx, actor); err != nil {
		return List{}, err
	}
	if !line(source) {
		return List{}, fmt.Errorf("%w: where it is from", ErrInvalid)
	}
	return s.take(ctx, actor, domain, raw, source)
}

// take checks a list, PEM or DER, and keeps it when it is newer.
func (s *Service) take(ctx context.Context, actor ledger.Actor, domain string, raw []byte, source string) (List, error) {
	e, err := s.inForce(ctx, domain)
	if err != nil {
		return List{}, err
	}
	if len(raw) > MaxList*3/2 {
		return List{}, fmt.Errorf("%w: it is too large", ErrList)
	}
	der := raw
	if block, _ := pem.Decode(raw); block != nil && block.Type == "X509 CRL" {
		der = block.Bytes
	}
	err = fmt.Errorf("%w: no authority of the domain signed it", ErrList)
	for _, raw := range append(e.Anchors[:len(e.Anchors):len(e.Anchors)], e.Issuing...) {
		by, perr := smx509.ParseCertificate(raw)
		if perr != nil {
			return List{}, fmt.Errorf("peer: authority of %s: %w", domain, perr)
		}
		l, lerr := parseList(der, by)
		if lerr != nil {
			if string(issuerOf(der)) == string(by.RawSubject) {
				err = lerr
			}
			continue
		}
		now := s.now()
		if l.ThisUpdate.After(now.Add(skew)) || !l.NextUpdate.After(now) {
			return List{}, fmt.Errorf("%w: it does not hold now", ErrList)
		}
		out := List{Domain: domain, Issuer: issuerID(by), SM3: sum(der), DER: der, ThisUpdate: l.ThisUpdate.UTC(), NextUpdate: l.NextUpdate.UTC(), TakenAt: now, Source: source}
		if l.Number != nil {
			out.Number = l.Number.String()
		}
		ev := s.event("list_taken", actor, e, map[string]string{
			"issuer": text.Name(by.Subject), "issuer_id": out.Issuer, "number": out.Number, "source": source,
			"this_update": out.ThisUpdate.Format(time.RFC3339), "next_update": out.NextUpdate.Format(time.RFC3339),
		})
		ev.Payload = out.SM3
		_, err := s.cfg.Register.PutList(ctx, out, ev)
		return out, err
	}
	return List{}, err
}

// issuerOf is who a list says signed it, for the better of two refusals.
func issuerOf(der []byte) []byte {
	if l, err := smx509.ParseRevocationList(der); err == nil {
		return l.RawIssuer
	}
	return nil
}

// list is what is kept of an authority, parsed; nil when there is none.
func (s *Service) list(ctx context.Context, domain string, by *smx509.Certificate) (*revocations, error) {
	key := [2]string{domain, issuerID(by)}
	s.lists.mu.Lock()
	kept := s.lists.kept[key]
	s.lists.mu.Unlock()
	have := ""
	if kept != nil {
		have = kept.sm3
	}
	row, err := s.cfg.Register.PeerList(ctx, domain, key[1], have)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("peer: read list: %w", err)
	case kept != nil && row.SM3 == have:
		return kept, nil
	}
	l, err := parseList(row.DER, by)
	if err != nil {
		return nil, err
	}
	kept = &revocations{sm3: row.SM3, this: l.ThisUpdate, next: l.NextUpdate, gone: make(map[string]smx509.RevocationListEntry, len(l.RevokedCertificateEntries))}
	for _, x := range l.RevokedCertificateEntries {
		kept.gone[x.SerialNumber.Text(16)] = x
	}
	s.lists.mu.Lock()
	defer s.lists.mu.Unlock()
	if s.lists.kept == nil {
		s.lists.kept = map[[2]string]*revocations{}
	}
	s.lists.kept[key] = kept
	return kept, nil
}

// current refuses a path of which a certificate is revoked at a time, or about
// which nothing fresh is known now. A list of end certificates must not be older
// than the entry says; one of authorities comes rarely, and counts until its own
// end. One on hold is revoked.
func (s *Service) current(ctx context.Context, e Entry, path []*smx509.Certificate, at time.Time) error {
	now := s.cfg.Now()
	for i, c := range path[:len(path)-1] {
		refuse := func(cause error, detail string) error {
			return &Refusal{Domain: e.Domain, Subject: text.Name(path[0].Subject), Detail: detail, Cause: cause}
		}
		by := path[i+1]
		l, err := s.list(ctx, e.Domain, by)
		switch {
		case err != nil:
			return err
		case l == nil:
			return refuse(ErrNoList, text.Name(by.Subject))
		}
		if x, gone := l.gone[c.SerialNumber.Text(16)]; gone && (x.ReasonCode == keyCompromise || !x.RevocationTime.After(at)) {
			return refuse(ErrRevoked, x.RevocationTime.UTC().Format(time.RFC3339))
		}
		if !now.Before(l.next) || i == 0 && now.Sub(l.this) > e.Stale {
			return refuse(ErrStale, l.this.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// Freshness is how a list of an authority stands.
type Freshness struct {
	Subject string // of the authority
	Missing bool
	This    time.Time
	Ends    time.Time // from then on what it should speak of is refused
	Near    bool      // a quarter of its time is left, or nothing
}

// Freshness is about every authority of an entry.
func (s *Service) Freshness(ctx context.Context, e Entry) (out []Freshness, err error) {
	now := s.cfg.Now()
	for i, der := range append(e.Anchors[:len(e.Anchors):len(e.Anchors)], e.Issuing...) {
		by, err := smx509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("peer: authority of %s: %w", e.Domain, err)
		}
		f := Freshness{Subject: text.Name(by.Subject), Missing: true, Near: true}
		l, err := s.list(ctx, e.Domain, by)
		if err != nil {
			return nil, err
		}
		if l != nil {
			f = Freshness{Subject: f.Subject, This: l.this, Ends: l.next}
			if end := l.this.Add(e.Stale); end.Before(f.Ends) && (i >= len(e.Anchors) || !e.above(by)) {
				f.Ends = end
			}
			f.Near = f.Ends.Sub(now) < f.Ends.Sub(f.This)/4
		}
		out = append(out, f)
	}
	return out, nil
}

// above: an anchor that issues to authorities of the entry; its list is theirs.
func (e Entry) above(by *smx509.Certificate) bool {
	return slices.ContainsFunc(e.Issuing, func(der []byte) bool {
		c, err := smx509.ParseCertificate(der)
		return err == nil && c.CheckSignatureFrom(by) == nil
	})
}
