package archive

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/cms"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// tokens judges the chain that protects the package: the token over the signature,
// then every renewal, then whether there is a gap between any two of them or
// between the last one and now.
func (j *judge) tokens() error {
	j.found[CheckStamp] = skipped(ReasonNoStamp, "")
	if j.man.Stamped {
		j.found[CheckStamp] = j.first()
	}
	j.found[CheckRenewals] = j.renewals()
	for _, id := range []string{CheckStamp, CheckRenewals} {
		r := j.found[id].result
		j.broken = j.broken || r == verify.Fail || r == verify.CannotTell
	}
	if len(j.chain) == 0 {
		if !j.man.Stamped && j.rep.Renewals == 0 { // else there are tokens, and none could be judged
			j.found[CheckProtection] = skipped(ReasonNoStamp, "")
		}
		return nil
	}
	f, err := j.protection()
	if err != nil {
		return err
	}
	j.found[CheckProtection] = f
	if j.broken = j.broken || f.result != verify.Pass; !j.broken {
		j.archived = j.chain[0].at
		j.rep.ArchivedAt = stamp(j.archived)
	}
	j.rep.RenewBy = stamp(j.chain[len(j.chain)-1].until)
	return nil
}

func (j *judge) first() finding {
	token, err := j.c.read(fileStamp)
	if err != nil {
		return fail(ReasonMissing, fileStamp)
	}
	signature, err := j.c.read(fileSignature)
	if err != nil {
		return fail(ReasonMissing, fileSignature)
	}
	l, f := j.opt.readLink(fileStamp, token, signature, j.certs)
	if f.result == verify.Pass {
		j.chain = append(j.chain, l)
	}
	return f
}

func renewalDir(n int) string { return fmt.Sprintf("%s%04d/", dirRenewals, n) }

// renewals judges them in order: each lists every file that was there before it,
// with both digests, and its token is over that list.
func (j *judge) renewals() finding {
	n := 0
	for ; j.c.by[renewalDir(n+1)+"list.json"] != nil; n++ {
	}
	for i := range j.c.items {
		if name := j.c.items[i].name; strings.HasPrefix(name, dirRenewals) && (numberOf(name) < 1 || numberOf(name) > n) {
			return fail(ReasonExtra, name)
		}
	}
	j.rep.Renewals = n
	if n == 0 {
		return skipped(ReasonNoRenewal, "")
	}
	for i := 1; i <= n; i++ {
		if f := j.renewal(i); f.result != verify.Pass {
			return f
		}
	}
	return pass(fmt.Sprintf("%d", n))
}

// numberOf is the number of the renewal that a file belongs to: 0 for none.
func numberOf(name string) int {
	var n int
	rest, ok := strings.CutPrefix(name, dirRenewals)
	if !ok || len(rest) < 6 || rest[4] != '/' {
		return 0
	}
	if _, err := fmt.Sscanf(rest[:4], "%04d", &n); err != nil || renewalDir(n) != name[:len(dirRenewals)+5] {
		return 0
	}
	return n
}

func (j *judge) renewal(n int) finding {
	dir := renewalDir(n)
	list, err := j.c.read(dir + "list.json")
	if err != nil {
		return fail(ReasonMissing, dir+"list.json")
	}
	token, err := j.c.read(dir + "list.tsr")
	if err != nil {
		return fail(ReasonMissing, dir+"list.tsr")
	}
	m, err := parseManifest(list, renewalKind)
	if err != nil || m.Number != n {
		return fail(ReasonMalformed, dir+"list.json")
	}
	if f := compare(m.Files, j.c.before(n)); f != nil {
		f.detail = dir + ": " + f.detail
		return *f
	}
	l, f := j.opt.readLink(dir+"list.tsr", token, list, j.certs)
	if f.result != verify.Pass {
		return f
	}
	if k := len(j.chain); k > 0 && l.at.Before(j.chain[k-1].at) { // tokens count whole seconds
		return fail(ReasonOrder, l.name+" "+stamp(l.at))
	}
	j.chain = append(j.chain, l)
	return f
}

// before lists what renewal n is about: everything but itself and later ones. The
// status data that it brought are its own but stand in its list.
func (c *container) before(n int) (out []listed) {
	dir := renewalDir(n)
	for i := range c.items {
		it := &c.items[i]
		if numberOf(it.name) <= n && it.name != dir+"list.json" && it.name != dir+"list.tsr" {
			out = append(out, *it.digest)
		}
	}
	return out
}

// protection: every token still held when the next one took over, and the last one
// holds now (RFC 4998, 5.3; DA/T 97-2023).
func (j *judge) protection() (finding, error) {
	for i := range j.chain {
		l, next, last := &j.chain[i], j.opt.Now(), i == len(j.chain)-1
		if !last {
			next = j.chain[i+1].at
		}
		detail := l.name + " " + stamp(l.until) + " < " + stamp(next)
		switch {
		case l.until.Before(next) && last:
			return cannot(ReasonOverdue, detail), nil
		case l.until.Before(next):
			return cannot(ReasonGap, detail), nil
		}
		for _, c := range l.path[:len(l.path)-1] {
			at, known, err := j.status.RevokedBy(j.ctx, c.Raw, next)
			switch {
			case err != nil && j.ctx.Err() != nil:
				return finding{}, j.ctx.Err()
			case err != nil || !known:
				j.unknown = append(j.unknown, text.Name(c.Subject))
			case !at.IsZero() && !at.After(l.at):
				return fail(ReasonRevoked, l.name+" "+stamp(at)), nil
			case !at.IsZero() && !at.After(next):
				return cannot(ReasonRevokedLater, l.name+" "+stamp(at)), nil
			}
		}
	}
	until := j.chain[len(j.chain)-1].until
	f := pass(stamp(until))
	if until.Before(j.opt.Now().Add(dueBefore)) {
		f.reason = ReasonDue
	}
	return f, nil
}

// signature checks the archiving unit's signature over the manifest.
func (j *judge) signature() (*cms.Signed, error) {
	der, err := j.c.read(fileSignature)
	if err != nil {
		j.found[CheckSignature] = fail(ReasonMissing, fileSignature)
		return nil, nil
	}
	content, err := j.c.read(fileManifest)
	if err != nil {
		return nil, err
	}
	s, err := cms.VerifyDetached(der, content)
	switch {
	case errors.Is(err, cms.ErrSignature):
		j.found[CheckSignature] = fail(ReasonSignature, "")
		return nil, nil
	case err != nil:
		j.found[CheckSignature] = fail(ReasonMalformed, fileSignature)
		return nil, nil
	}
	j.found[CheckSignature] = pass(fileSignature)
	return &s, nil
}

// signer judges the archiving certificate at the archived time: what ended since
// does not matter (电子签名法 art. 5; DA/T 97-2023).
func (j *judge) signer(s *cms.Signed) error {
	if s == nil {
		return nil
	}
	c, err := smx509.ParseCertificate(s.CertDER)
	if err != nil {
		j.found[CheckSigner] = fail(ReasonMalformed, fileSignature)
		return nil
	}
	j.rep.Signer = text.Name(c.Subject)
	f, err := j.signerAt(c, s.SigningTime)
	j.found[CheckSigner] = f
	return err
}

func (j *judge) signerAt(c *smx509.Certificate, claimed time.Time) (finding, error) {
	at, until := j.archived, j.archived
	if at.IsZero() {
		at, until = claimed, j.opt.Now()
	}
	detail := text.Name(c.Subject)
	span := stamp(at) + " in " + stamp(c.NotBefore) + "/" + stamp(c.NotAfter)
	const signs = smx509.KeyUsageDigitalSignature | smx509.KeyUsageContentCommitment
	path := j.opt.Trust.Path(c.Raw, at, j.certs...)
	switch {
	case c.IsCA || c.KeyUsage&signs == 0:
		return fail(ReasonUsage, detail), nil
	case claimed.After(until.Add(skew)):
		return fail(ReasonFuture, stamp(claimed)+" after "+stamp(until)), nil
	case at.Before(c.NotBefore) || at.After(c.NotAfter):
		return fail(ReasonPeriod, span), nil
	case j.opt.Trust == nil:
		return cannot(ReasonNoAnchor, detail), nil
	case path == nil:
		return cannot(ReasonUntrusted, detail), nil
	case j.archived.IsZero() && until.After(verify.Ends(path)):
		return cannot(ReasonUnproven, span), nil
	}
	for _, c := range path[:len(path)-1] {
		gone, known, err := j.status.RevokedBy(j.ctx, c.Raw, until)
		switch {
		case err != nil && j.ctx.Err() != nil:
			return finding{}, j.ctx.Err()
		case err != nil || !known:
			j.unknown = append(j.unknown, text.Name(c.Subject))
		case !gone.IsZero() && !gone.After(claimed):
			return fail(ReasonRevoked, stamp(gone)), nil
		case !gone.IsZero() && !gone.After(until):
			return cannot(ReasonRevokedLater, stamp(gone)), nil
		}
	}
	return pass(detail), nil
}
