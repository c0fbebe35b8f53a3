package store

import (
	"context"

	"github.com/yinxin-gov/yinxin/signer"
)

// UseSealedAs finds the use of seal that made a document, by the SM3 of what it
// made; signer.ErrNotFound for a document that no seal of this house made.
func (s *Seals) UseSealedAs(ctx context.Context, sm3 string) (signer.Use, error) {
	r, err := one[useRow](ctx, s.s.r, "sealed = ? AND sealed <> '' AND state = ?", sm3, string(signer.UseSealed))
	return r.use(), found(err, signer.ErrNotFound, "use of seal that made", sm3)
}
