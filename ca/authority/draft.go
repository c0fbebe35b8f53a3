package authority

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"errors"
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

// Profile is that of its certificate.
func (m Member) Profile() (profile.Profile, error) {
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
// Where the roots are offline, made are the new ones, as a ceremony left them.
func (s *Service) draft(ctx context.Context, set *Set, g *Generation, made []*smx509.Certificate) error {
	if !g.NewRoots && len(made) > 0 {
		return fmt.Errorf("%w: roots are brought for a change without new roots", ErrInvalid)
	}
	for i, n := range tracks {
		cur, err := set.current(n.track)
		if err != nil {
			return err
		}
		was, ok := set.root(cur.Issuer)
		if !ok {
			return fmt.Errorf("authority: root of the current %s authority is unknown", n.track)
		}
		oldRoot, oldIssuing := party{was.Certificate, was.Key}, party{cur.Certificate, cur.Key}
		root := oldRoot
		if g.NewRoots { // of the same name (RFC 4210 4.4): certificates of roots by each other are self-issued, and count in no path length
			switch {
			case was.Key == "" && len(made) == 0:
				return fmt.Errorf("%w: new roots come from a ceremony", ErrOffline)
			case was.Key == "" && len(made) != len(tracks), was.Key != "" && len(made) > 0:
				return fmt.Errorf("%w: %d roots are brought for a house whose own are elsewhere than theirs", ErrInvalid, len(made))
			case was.Key == "":
				root, err = s.brought(ctx, set, g, n, was.Certificate, made[i])
			default:
				root, err = s.fresh(ctx, g, n, Root, was.Certificate.Subject.CommonName, party{})
			}
			if err != nil {
				return err
			}
		}
		issuing, err := s.fresh(ctx, g, n, Issuing, fmt.Sprintf("%s %s 签发 CA G%d", s.cfg.Organization, n.word, g.Number), root)
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

// fresh drafts an authority with a new key.
func (s *Service) fresh(ctx context.Context, g *Generation, n names, kind Kind, name string, by party) (party, error) {
	m := Member{Track: n.track, Kind: kind, Key: fmt.Sprintf("%s-%s-g%d", n.track, kind, g.Number), By: by.key}
	if kind == Root {
		m.By = m.Key
	}
	public, err := s.cfg.Keys.Make(ctx, m.Key, n.track)
	if err != nil {
		return party{}, fmt.Errorf("authority: key %s: %w", m.Key, err)
	}
	subject := &smx509.Certificate{PublicKey: public}
	subject.Subject.CommonName = name
	if err := s.member(g, m, subject, by); err != nil {
		return party{}, err
	}
	view, err := lint.ParseTBS(g.Members[len(g.Members)-1].TBS)
	if err != nil {
		return party{}, fmt.Errorf("authority: read back draft: %w", err)
	}
	return party{view.Cert, m.Key}, nil
}

// brought takes a root that a ceremony made and signed by itself. The record of
// that ceremony is its first record; here it is linted and recorded as every other
// certificate before anything hangs on it.
func (s *Service) brought(ctx context.Context, set *Set, g *Generation, n names, was, root *smx509.Certificate) (party, error) {
	m := Member{Track: n.track, Kind: Root, Issuer: ca.IssuerID(root), Serial: ca.FormatSerial(root.SerialNumber), TBS: root.RawTBSCertificate, DER: root.Raw}
	if err := root.CheckSignatureFrom(root); err != nil {
		return party{}, fmt.Errorf("%w: %s root is not signed by itself: %w", ErrInvalid, n.word, err)
	}
	if _, err := s.redraft(m, nil); err != nil {
		return party{}, fmt.Errorf("%w: %s root: %w", ErrInvalid, n.word, err)
	}
	// Of one name, so that what the roots certify of each other is self-issued.
	if !bytes.Equal(root.RawSubject, was.RawSubject) {
		return party{}, fmt.Errorf("%w: %s root has another name than the one before", ErrInvalid, n.word)
	}
	for _, a := range set.all {
		if bytes.Equal(a.Certificate.RawSubjectPublicKeyInfo, root.RawSubjectPublicKeyInfo) {
			return party{}, fmt.Errorf("%w: %s root has the key of an authority of this house", ErrInvalid, n.word)
		}
	}
	if now := s.now(); now.Before(root.NotBefore) || !now.Before(root.NotAfter) || !root.NotAfter.After(was.NotAfter) {
		return party{}, fmt.Errorf("%w: %s root is out of its period, or does not outlive the one before", ErrInvalid, n.word)
	}
	switch row, err := s.cfg.Registry.Certificate(ctx, m.Issuer, m.Serial); {
	case errors.Is(err, ca.ErrNotFound):
	case err != nil:
		return party{}, fmt.Errorf("authority: read certificate: %w", err)
	case row.State == ca.StateRevoked:
		return party{}, fmt.Errorf("%w: %s root was given up before", ErrInvalid, n.word)
	}
	g.Members = append(g.Members, m)
	return party{cert: root}, nil
}

// member drafts and lints one certificate. The period of a certificate for
// somebody who has one already lies inside that too.
func (s *Service) member(g *Generation, m Member, subject *smx509.Certificate, by party) error {
	p, err := m.Profile()
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
	p, err := m.Profile()
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
