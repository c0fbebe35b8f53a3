package authority

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/lint"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// names of what differs between the tracks.
type names struct {
	track                profile.Algorithm
	word                 string
	root, issuing, cross profile.Name
}

var tracks = [...]names{
	{profile.SM2, "SM2", profile.SM2Root, profile.SM2Issuing, profile.SM2Cross},
	{profile.ECDSA, "ECDSA", profile.ECDSARoot, profile.ECDSAIssuing, profile.ECDSACross},
}

// profileOf is that of a member.
func profileOf(m Member) (profile.Profile, error) {
	for _, n := range tracks {
		if n.track != m.Track {
			continue
		}
		switch m.Kind {
		case Root:
			return profile.Get(n.root)
		case Issuing, Bridge:
			return profile.Get(n.issuing)
		case NewWithOld, OldWithNew:
			return profile.Get(n.cross)
		}
	}
	return profile.Profile{}, fmt.Errorf("%w: %s %s", ErrInvalid, m.Track, m.Kind)
}

// party is an authority that a certificate is made for or by.
type party struct {
	cert *smx509.Certificate // of a new one: its draft, which names it and its key
	key  string              // in custody
}

// draft makes the to-be-signed bytes of every certificate of a generation.
func (s *Service) draft(ctx context.Context, set *Set, g *Generation) error {
	for _, n := range tracks {
		cur, err := set.current(n.track)
		if err != nil {
			return err
		}
		was, ok := set.root(cur.Issuer)
		if !ok {
			return fmt.Errorf("authority: root of the current %s authority is unknown", n.track)
		}
		if g.NewRoots && was.Key == "" {
			return fmt.Errorf("%w: new roots are made online here", ErrOffline)
		}
		oldRoot, oldIssuing := party{was.Certificate, was.Key}, party{cur.Certificate, cur.Key}
		root := oldRoot
		if g.NewRoots {
			if root, err = s.fresh(ctx, g, n, Root, party{}); err != nil {
				return err
			}
		}
		issuing, err := s.fresh(ctx, g, n, Issuing, root)
		if err != nil {
			return err
		}
		if !g.NewRoots {
			continue
		}
		for _, c := range []struct {
			kind        Kind
			subject, by party
		}{{NewWithOld, root, oldRoot}, {OldWithNew, oldRoot, root}, {Bridge, issuing, oldRoot}, {Bridge, oldIssuing, root}} {
			if err := s.member(g, Member{Track: n.track, Kind: c.kind, By: c.by.key}, c.subject.cert, c.by); err != nil {
				return err
			}
		}
	}
	return nil
}

// fresh drafts an authority with a new key and a new name: generations are told
// apart by it.
func (s *Service) fresh(ctx context.Context, g *Generation, n names, kind Kind, by party) (party, error) {
	m := Member{Track: n.track, Kind: kind, Key: fmt.Sprintf("%s-%s-g%d", n.track, kind, g.Number), By: by.key}
	word := " 签发 CA"
	if kind == Root {
		word, m.By = " 根 CA", m.Key
	}
	public, err := s.cfg.Keys.Make(ctx, m.Key, n.track)
	if err != nil {
		return party{}, fmt.Errorf("authority: key %s: %w", m.Key, err)
	}
	subject := &smx509.Certificate{PublicKey: public}
	subject.Subject.CommonName = fmt.Sprintf("%s %s%s G%d", s.cfg.Organization, n.word, word, g.Number)
	if err := s.member(g, m, subject, by); err != nil {
		return party{}, err
	}
	view, err := lint.ParseTBS(g.Members[len(g.Members)-1].TBS)
	if err != nil {
		return party{}, fmt.Errorf("authority: read back draft: %w", err)
	}
	return party{view.Cert, m.Key}, nil
}

// member drafts and lints one certificate. The period of a certificate for
// somebody who has one already lies inside that too.
func (s *Service) member(g *Generation, m Member, subject *smx509.Certificate, by party) error {
	p, err := profileOf(m)
	if err != nil {
		return err
	}
	public, ok := subject.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return fmt.Errorf("%w: key of %q", ErrInvalid, subject.Subject.CommonName)
	}
	f := profile.Fields{
		Public: public, Issuer: by.cert, Now: s.now(), NotAfter: subject.NotAfter,
		Subject: profile.Subject{CommonName: subject.Subject.CommonName, Organization: s.cfg.Organization},
	}
	if f.Serial, err = ca.NewSerial(s.cfg.Rand); err != nil {
		return err
	}
	if len(subject.Subject.Organization) > 0 {
		f.Subject.Organization = subject.Subject.Organization[0]
	}
	site := s.cfg.Site
	if m.By == "" { // nobody answers OCSP in the name of an offline root
		site.OCSP, site.Shards = "", 0
	}
	d, err := ca.NewDraft(p, site, f)
	if err != nil {
		return fmt.Errorf("authority: draft %s: %w", p.Name, err)
	}
	if err := d.Lint(s.linter, nil); err != nil {
		return err
	}
	if subject.RawSubject != nil && string(d.View.Cert.RawSubject) != string(subject.RawSubject) {
		return fmt.Errorf("%w: the name of %q cannot be written again as it is", ErrInvalid, subject.Subject.CommonName)
	}
	m.Issuer, m.Serial, m.TBS = ca.IssuerID(d.Issuer), ca.FormatSerial(f.Serial), d.TBS
	g.Members = append(g.Members, m)
	return nil
}

// redraft reads recorded bytes as the draft that they were. Rules may have become
// stricter since: it is linted again.
func (s *Service) redraft(m Member, signers map[string]*smx509.Certificate) (*ca.Draft, error) {
	p, err := profileOf(m)
	if err != nil {
		return nil, err
	}
	view, err := lint.ParseTBS(m.TBS)
	if err != nil {
		return nil, fmt.Errorf("authority: read recorded certificate: %w", err)
	}
	if view.Refused != nil {
		return nil, fmt.Errorf("authority: read recorded certificate: %w", view.Refused)
	}
	d := &ca.Draft{TBS: m.TBS, Profile: p, View: view, Issuer: signers[m.Issuer]}
	if m.Kind == Root {
		d.Issuer = view.Cert
	}
	if d.Issuer == nil {
		return nil, fmt.Errorf("%w: signer of %s is unknown", ErrInvalid, m.Serial)
	}
	return d, d.Lint(s.linter, nil)
}

// row is a member as the registry keeps it before it is signed.
func (s *Service) row(d *ca.Draft, at time.Time) ca.Certificate {
	row := d.Row(ca.KindCA)
	row.Agency, row.CreatedAt, row.Origin.Way = s.cfg.House, at.UTC().Truncate(time.Microsecond), ca.WayHouse
	return row
}
