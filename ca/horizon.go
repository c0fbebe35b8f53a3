package ca

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yinxin-gov/yinxin/ca/profile"
)

// Horizon says when the authority ends its service, once that is announced
// (电子签名法 art. 23; ca/closing). Zero: no end is announced. An error refuses:
// whoever does not know whether it is ended issues nothing.
type Horizon interface {
	Horizon(ctx context.Context) (time.Time, error)
}

// ErrClosing: the certificate would outlive the announced end of the service, or
// that end has come. The error is a *ClosingError.
var ErrClosing = errors.New("ca: the certification service ends")

// ClosingError names the end.
type ClosingError struct{ Until time.Time }

// Error names the day in China, in which the end is announced.
func (e *ClosingError) Error() string {
	return fmt.Sprintf("%v: no certificate is issued beyond %s (UTC+8), nor for less than %s before it", ErrClosing, e.Until.In(time.FixedZone("UTC+8", 8*3600)).Format("2006-01-02 15:04"), MinLeft)
}

// Unwrap makes it ErrClosing.
func (e *ClosingError) Unwrap() error { return ErrClosing }

// MinLeft is the shortest certificate that is still worth its key when the end
// of the service cuts it. The house's own services go on to the last second.
const MinLeft = 24 * time.Hour

// Within cuts a certificate to the announced end of the service: its last second
// is the one before. It refuses with a ClosingError when too little is left. Every
// draft of an authority in service goes through here; the registry refuses once
// more, in the transaction of Reserve, what would pass the end.
func Within(ctx context.Context, h Horizon, kind Kind, f *profile.Fields) error {
	if h == nil {
		return nil
	}
	end, err := h.Horizon(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("ca: whether the service ends: %w", err)
	case end.IsZero():
		return nil
	}
	least := MinLeft
	if kind == KindService {
		least = time.Second
	}
	last := end.Add(-time.Second)
	if last.Sub(f.Now) < least {
		return &ClosingError{end}
	}
	if f.NotAfter.IsZero() || f.NotAfter.After(last) {
		f.NotAfter = last
	}
	return nil
}
