package status

import (
	"context"
	"encoding/hex"
	"sync"
	"time"

	"github.com/emmansun/gmsm/sm3"
)

// answer is a response with what HTTP says about it.
type answer struct {
	der        []byte
	thisUpdate time.Time
	nextUpdate time.Time // zero: a refusal
	etag       string    // empty: not to be kept by a cache
	row        Standing
}

// Answer is the OCSP response to a request, both DER. It never fails: what goes
// wrong is logged and answered with the status that RFC 6960 has for it.
func (s *Service) Answer(ctx context.Context, der []byte) []byte {
	return s.answer(ctx, der).der
}

func (s *Service) answer(ctx context.Context, der []byte) answer {
	r, err := parseRequest(der)
	if err != nil {
		return answer{der: refusal(statusMalformed)}
	}
	i := s.authorityOf(r)
	if i == nil || i.answer.Load() == nil { // RFC 6960 2.3: nobody may answer for it here
		return answer{der: refusal(statusUnauthorized)}
	}
	now := s.cfg.Now().UTC()
	// What is said holds from before the rows were read, or known to hold.
	since := now
	rows := make([]single, len(r.ids))
	for n, id := range r.ids {
		var asOf time.Time
		if rows[n], asOf, err = s.look(ctx, i, id, now); err != nil {
			s.cfg.Log.ErrorContext(ctx, "OCSP: reading the registry failed", "error", err)
			return answer{der: refusal(statusTryLater)}
		}
		if asOf.Before(since) {
			since = asOf.UTC()
		}
	}
	keep := len(rows) == 1 && r.nonce == nil && rows[0].known()
	if keep {
		if a, ok := s.cache.get(string(rows[0].id.raw), rows[0].row, now); ok {
			return a
		}
	}
	this := since.Truncate(time.Second)
	a := answer{thisUpdate: this, nextUpdate: this.Add(s.cfg.OCSPValidity.Truncate(time.Second))}
	signer := s.signer(ctx, i, now)
	// An answer may not outlive the certificate that proves it.
	if end := signer.cert.NotAfter; a.nextUpdate.After(end) {
		a.nextUpdate = end
	}
	if a.nextUpdate.Before(this) {
		s.cfg.Log.ErrorContext(ctx, "OCSP: the signing certificate is over", "issuer", i.id)
		return answer{der: refusal(statusInternal)}
	}
	if a.der, err = encodeResponse(signer, s.cfg.Rand, rows, r.nonce, a.thisUpdate, a.nextUpdate); err != nil {
		s.cfg.Log.ErrorContext(ctx, "OCSP: signing failed", "error", err)
		return answer{der: refusal(statusInternal)}
	}
	if keep {
		sum := sm3.Sum(a.der)
		a.etag, a.row = `"`+hex.EncodeToString(sum[:16])+`"`, rows[0].row
		s.cache.put(string(rows[0].id.raw), a)
	}
	return a
}

// authorityOf is the one issuer of everything asked for, or nil: one answer has
// one signature.
func (s *Service) authorityOf(r request) *issuer {
	var found *issuer
	for _, id := range r.ids {
		i := s.named(id)
		if i == nil || found != nil && i != found {
			return nil
		}
		found = i
	}
	return found
}

func (s *Service) named(id certID) *issuer {
	for _, i := range *s.issuers.Load() {
		for _, h := range i.hashes {
			if h.is(id) {
				return i
			}
		}
	}
	return nil
}

// answers keeps signed answers for as long as the row that they speak of is the
// same, and for half of their life: whoever asks gets one that still holds for a
// while. The row is looked at first, each time: a kept answer is never older
// than it.
type answers struct {
	size int
	mu   sync.Mutex
	kept map[string]answer
}

func newAnswers(size int) *answers { return &answers{size: size, kept: map[string]answer{}} }

func (c *answers) get(id string, row Standing, now time.Time) (answer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.kept[id]
	if !ok || !a.row.same(row) || now.Before(a.thisUpdate) || !now.Before(a.thisUpdate.Add(a.nextUpdate.Sub(a.thisUpdate)/2)) {
		return answer{}, false
	}
	return a, true
}

// put forgets everything when it is full: cheaper than an order of use, and a
// forgotten answer costs one signature.
func (c *answers) put(id string, a answer) {
	if c.size <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kept) >= c.size {
		clear(c.kept)
	}
	c.kept[id] = a
}

func (s Standing) same(o Standing) bool {
	return s.Serial == o.Serial && s.State == o.State && s.Reason == o.Reason && s.RevokedAt.Equal(o.RevokedAt) && s.InvalidAt.Equal(o.InvalidAt)
}
