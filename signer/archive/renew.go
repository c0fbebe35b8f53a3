package archive

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/yinxin-gov/yinxin/signer/revocation"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Renewing is what a renewal needs. Trust and Stamper are required.
type Renewing struct {
	Trust   *verify.Trust
	Status  *revocation.Set // fresh data about the service of the newest token; nil: none
	Chain   [][]byte
	Stamper Stamper
	Now     func() time.Time // nil: time.Now
	Retired Retired
}

// Renew puts a new token over everything in a package (时间戳续期): it lists every
// file with both digests anew, keeps fresh status data of the service that stamped
// last, and replaces the file when the result verifies. It refuses a package that
// does not verify: a new token over it would only give it a younger date. A window
// that was missed stays visible.
func Renew(ctx context.Context, cfg Renewing, name string) (Report, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	opt := Options{File: name, Trust: cfg.Trust, Now: cfg.Now, Status: cfg.Status, Retired: cfg.Retired}
	f, err := os.Open(name)
	if err != nil {
		return Report{}, err
	}
	defer f.Close() // read only
	info, err := f.Stat()
	if err != nil {
		return Report{}, err
	}
	rep := Report{}
	j := &judge{ctx: ctx, opt: &opt, rep: &rep, found: map[string]finding{}}
	if err := j.open(f, info.Size()); err != nil {
		return Report{}, err
	}
	if j.c != nil {
		if err := j.run(); err != nil {
			return Report{}, err
		}
	}
	if rep.conclude(j.found); rep.Verdict == verify.Invalid {
		return rep, ErrInvalid
	}
	list, err := cfg.next(ctx, j)
	if err != nil {
		return rep, err
	}
	return place(ctx, name, list, opt)
}

// next is the content of the renewed package.
func (cfg *Renewing) next(ctx context.Context, j *judge) ([]source, error) {
	now := cfg.Now().UTC().Truncate(time.Second)
	var list []source
	for i := range j.c.items {
		it := &j.c.items[i]
		list = append(list, source{*it.digest, it.crc, func() io.Reader { return j.c.section(it) }})
	}
	var certs [][]byte
	if n := len(j.chain); n > 0 {
		for _, c := range j.chain[n-1].path {
			certs = append(certs, c.Raw)
		}
	}
	n := j.rep.Renewals + 1
	k := keep(cfg.Trust, cfg.Status, certs, append(j.certs[:len(j.certs):len(j.certs)], cfg.Chain...), now)
	k.dir = renewalDir(n)
	files, err := k.statusFiles(ctx)
	if err != nil {
		return nil, err
	}
	for _, f := range append(files, k.certificates()...) {
		s, err := fromBytes(f.path, f.data)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	sortSources(list)
	m := manifest{Kind: renewalKind, Version: formatVersion, Created: stamp(now), Number: n}
	for _, s := range list {
		m.Files = append(m.Files, s.listed)
	}
	b, err := m.marshal()
	if err != nil {
		return nil, err
	}
	s, err := fromBytes(k.dir+"list.json", b)
	if err != nil {
		return nil, err
	}
	token, err := stamped(ctx, cfg.Stamper, k.dir+"list.tsr", b)
	return append(list, s, token), err
}

// Until is when the newest token of a package stops protecting it; zero when it has
// none that an anchor vouches for. It reads tokens only and verifies no file:
// Verify does.
func Until(ctx context.Context, r io.ReaderAt, size int64, opt Options) (time.Time, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	c, err := openContainer(r, size)
	if err != nil {
		return time.Time{}, err
	}
	if c.by[fileManifest] == nil {
		return time.Time{}, ErrNotPackage
	}
	over, token := fileSignature, fileStamp
	for n := 1; c.by[renewalDir(n)+"list.tsr"] != nil; n++ {
		over, token = renewalDir(n)+"list.json", renewalDir(n)+"list.tsr"
	}
	if c.by[token] == nil || c.by[over] == nil {
		return time.Time{}, ctx.Err()
	}
	j := &judge{ctx: ctx, opt: &opt, c: c}
	j.collectStatus()
	value, err := c.read(over)
	if err != nil {
		return time.Time{}, err
	}
	der, err := c.read(token)
	if err != nil {
		return time.Time{}, err
	}
	l, f := opt.readLink(token, der, value, j.certs)
	if f.result != verify.Pass {
		return time.Time{}, ctx.Err()
	}
	return l.until, ctx.Err()
}

// Due reports whether a package whose protection ends at a time is to be renewed
// now: half a year before, so that a service can still be found.
func Due(until, now time.Time) bool { return until.Before(now.Add(dueBefore)) }
