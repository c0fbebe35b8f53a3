package peer

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/internal/uscc"
)

// Limits of an entry.
const (
	maxText   = 300
	maxParts  = 64
	maxCert   = 16 << 10
	maxPeriod = 5 * 366 * 24 * time.Hour
	minStale  = time.Hour
	maxStale  = 31 * 24 * time.Hour
)

var (
	shortName  = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$`)
	hostName   = regexp.MustCompile(`^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$`)
	codeOfDuty = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
)

// Digest is what the second person signs: SM3 over every proposed field.
func (e Entry) Digest() string {
	e.From, e.Until, e.AskedAt = e.From.UTC(), e.Until.UTC(), e.AskedAt.UTC()
	raw, err := json.Marshal(e)
	if err != nil {
		return "" // strings, bytes and times of four-digit years always encode
	}
	return sum(append([]byte("yinxin/peer-domain/v1\n"), raw...))
}

// Counts reports whether the domain may work with the house at a time.
func (e Entry) Counts(at time.Time) bool {
	return e.State == InForce && !at.Before(e.From) && at.Before(e.Until)
}

func (e Entry) system(id string) (System, bool) {
	i := slices.IndexFunc(e.Systems, func(s System) bool { return s.ID == id })
	if i < 0 {
		return System{}, false
	}
	return e.Systems[i], true
}

func sum(b []byte) string {
	d := sm3.Sum(b)
	return hex.EncodeToString(d[:])
}

// validate checks an entry by itself, and its certificates against each other.
func (e Entry) validate(now time.Time, actions []string) error {
	bad := func(what string) error { return fmt.Errorf("%w: %s", ErrInvalid, what) }
	switch {
	case !shortName.MatchString(e.Domain):
		return bad("a short name of small letters, digits and hyphens")
	case !line(e.Name) || !line(e.Reason):
		return bad("name and reason, one line each")
	case !uscc.Valid(e.Operator):
		return bad("unified social credit code of the operator")
	case e.Kind != KindCity && e.Kind != KindVertical:
		return bad("kind of the domain")
	case e.Level < 1 || e.Level > 4:
		return bad("highest level of information")
	case e.Stale < minStale || e.Stale > maxStale || e.Stale%time.Minute != 0:
		return bad("how old a list may be: an hour to 31 days")
	case e.From.IsZero() || !e.Until.After(e.From) || !e.Until.After(now) || e.Until.Sub(e.From) > maxPeriod:
		return bad("period, of five years at most")
	case !set(e.Hosts, 0, suffix) || !set(e.Units, 0, uscc.Valid) || len(e.Hosts)+len(e.Units) == 0:
		return bad("names that the domain may speak for")
	case !set(e.Actions, 1, func(a string) bool { return slices.Contains(actions, a) }):
		return bad("actions")
	case !set(e.Purposes, 1, codeOfDuty.MatchString):
		return bad("purposes")
	case !set(e.Lists, 0, source):
		return bad("addresses of lists")
	case len(e.Systems) == 0 || len(e.Systems) > maxParts:
		return bad("systems of the domain")
	case len(e.Anchors) == 0 || len(e.Anchors) > maxParts || len(e.Issuing) > maxParts:
		return fmt.Errorf("%w: none, or too many", ErrAuthority)
	}
	return e.validateSystems()
}

// validateSystems: each is found by one host, and speaks within the constraints.
func (e Entry) validateSystems() error {
	for i, s := range e.Systems {
		bad := func(what string) error { return fmt.Errorf("%w: system %q: %s", ErrInvalid, s.ID, what) }
		twin := func(o System) bool { return o.ID == s.ID || o.Host == s.Host }
		switch {
		case !shortName.MatchString(s.ID) || !line(s.Name) || !line(s.UnitName):
			return bad("id, name and name of its unit")
		case !uscc.Valid(s.Unit):
			return bad("unified social credit code of its unit")
		case len(e.Units) > 0 && !slices.Contains(e.Units, s.Unit):
			return bad("a unit that the domain does not speak for")
		case !hostName.MatchString(s.Host) || !e.speaksFor(s.Host):
			return bad("a host that the domain does not speak for")
		case (s.Sign == nil) != (s.Enc == nil):
			return bad("one SM2 certificate without the other")
		case slices.ContainsFunc(e.Systems[:i], twin):
			return bad("named twice")
		}
	}
	return nil
}

// speaksFor reports whether a host is one of the domain's names or below one.
func (e Entry) speaksFor(host string) bool {
	return slices.ContainsFunc(e.Hosts, func(h string) bool { return host == h || strings.HasSuffix(host, "."+h) })
}

// suffix: a name below which somebody can be in charge, so no single label.
func suffix(h string) bool {
	return len(h) <= 253 && strings.Contains(h, ".") && hostName.MatchString(h)
}

// source is an address as it is fetched: no user, no fragment, no other port than
// that of its scheme unless written.
func source(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && len(raw) <= maxText && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && u.Fragment == "" && text.Plain(raw) == raw
}

// set: at least so many, each good and named once.
func set(list []string, least int, good func(string) bool) bool {
	if len(list) < least || len(list) > maxParts {
		return false
	}
	for i, s := range list {
		if !good(s) || slices.Contains(list[:i], s) {
			return false
		}
	}
	return true
}

// line is text of people that reads as it was written.
func line(s string) bool { return s != "" && len(s) <= maxText && text.Plain(s) == s }

// authorities reads those of an entry: anchors sign themselves, the others are
// authorities; both in their period and not weak.
func (e Entry) authorities(now time.Time) (anchors, issuing []*smx509.Certificate, err error) {
	for i, der := range append(slices.Clone(e.Anchors), e.Issuing...) {
		c, err := authority(der, now)
		if err != nil {
			return nil, nil, err
		}
		if i >= len(e.Anchors) {
			issuing = append(issuing, c)
			continue
		}
		if !bytes.Equal(c.RawIssuer, c.RawSubject) || c.CheckSignatureFrom(c) != nil {
			return nil, nil, fmt.Errorf("%w: an anchor does not sign itself", ErrAuthority)
		}
		anchors = append(anchors, c)
	}
	return anchors, issuing, nil
}

func authority(der []byte, now time.Time) (*smx509.Certificate, error) {
	bad := func(why string) error { return fmt.Errorf("%w: %s", ErrAuthority, why) }
	if len(der) > maxCert {
		return nil, bad("it is too large")
	}
	c, err := smx509.ParseCertificate(der)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrAuthority, err)
	case !bytes.Equal(c.Raw, der):
		return nil, bad("something follows it")
	case !c.BasicConstraintsValid || !c.IsCA || c.KeyUsage&smx509.KeyUsageCertSign == 0:
		return nil, bad("it is no authority")
	case now.Before(c.NotBefore) || now.After(c.NotAfter):
		return nil, bad("it is out of its period")
	case trackOf(c) == trackNone:
		return nil, bad("an algorithm or a key that is not used here")
	}
	return c, nil
}
