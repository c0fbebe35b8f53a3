package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca/closing"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/internal/notify"
	"github.com/yinxin-gov/yinxin/signer/life"
)

// NoticeSettings say where notices may go. Who gets them is registered in the
// console; what the machine may connect to is the operator's word.
type NoticeSettings struct {
	Networks   []string `yaml:"notify_networks,omitempty" koanf:"notify_networks"`     // address/length, besides public addresses
	Enterprise int      `yaml:"notify_enterprise,omitempty" koanf:"notify_enterprise"` // private enterprise number (IANA) for syslog; 0: the one for examples
}

func (s NoticeSettings) validate() error {
	if _, err := notify.Networks(s.Networks); err != nil {
		return fmt.Errorf("%w: notify_networks: %w", ErrConfig, err)
	}
	if s.Enterprise < 0 || s.Enterprise > 1<<31-1 {
		return fmt.Errorf("%w: notify_enterprise %d", ErrConfig, s.Enterprise)
	}
	return nil
}

// openNotices builds the room that tells systems outside.
func (h *House) openNotices() error {
	wrapper, err := h.custody.wrappers(h.cfg)
	if err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(h.cfg.Public)
	if err != nil {
		return fmt.Errorf("%w: public: %w", ErrConfig, err)
	}
	h.Notices, err = notify.New(notify.Config{
		Store: h.rooms.Notify, Directory: h.rooms.Notify, Calendar: dates{h}, Wrapper: wrapper, Words: h.words,
		Source: "https://" + h.cfg.Public, Host: host, Networks: h.cfg.Notices.Networks, Enterprise: h.cfg.Notices.Enterprise,
		Log: h.cfg.Log, Now: h.cfg.Now, Rand: h.cfg.Rand, NewID: newID,
	})
	return err
}

// dates are what ends in this house: certificates, and the lists of offline roots,
// which only a ceremony renews.
type dates struct{ h *House }

func (d dates) Endings(ctx context.Context, now, from, to time.Time) ([]notify.Ending, error) {
	out, err := d.h.rooms.Notify.Endings(ctx, now, from, to)
	if err != nil {
		return nil, err
	}
	for _, issuer := range d.h.CertStatus.Offline() {
		list, err := d.h.rooms.CA.PublishedCRL(ctx, issuer, "", false, 0)
		switch {
		case errors.Is(err, status.ErrNoList):
			continue
		case err != nil:
			return nil, fmt.Errorf("app: list of %s: %w", issuer, err)
		case list.NextUpdate.After(from) && !list.NextUpdate.After(to):
			out = append(out, notify.Ending{
				Kind: notify.ListEnding, Unit: d.h.cfg.USCC, Object: ledger.Object{Kind: "crl", ID: issuer}, From: list.ThisUpdate, At: list.NextUpdate,
			})
		}
	}
	return out, nil
}

// told brings the notices of rooms to the units that they are owed to.
type told struct{ h *House }

// Notify implements life.Notifier.
func (r told) Notify(ctx context.Context, n life.Notice) error {
	err := r.h.Notices.Tell(ctx, notify.Notice{
		ID: n.ID, Kind: notify.SealRelied, Severity: notify.Critical, Unit: n.Unit, Object: ledger.Object{Kind: "seal_notice", ID: n.Compromise}, At: n.At,
		Details: map[string]string{"documents": strconv.Itoa(len(n.Documents)), "systems": strconv.Itoa(len(n.Systems))},
	})
	if errors.Is(err, notify.ErrWaiting) {
		return life.ErrOnItsWay
	}
	return err
}

// NotifyClosing implements closing.Notifier.
func (r told) NotifyClosing(ctx context.Context, announced closing.Act, n closing.NoticeTo) error {
	out := notify.Notice{
		ID: fmt.Sprintf("%s-%s-%s", n.Announcement, n.Holder.Kind, n.Holder.ID), Kind: notify.ServiceClosing, Severity: notify.Critical, Unit: n.Holder.Agency,
		Object: ledger.Object{Kind: "ca_closing", ID: n.Announcement}, At: n.At,
		Details: map[string]string{"holder_kind": string(n.Holder.Kind), "holder": n.Holder.ID, "date": announced.At.UTC().Format(time.DateOnly)},
	}
	err := r.h.Notices.Tell(ctx, out)
	if errors.Is(err, notify.ErrWaiting) {
		return closing.ErrOnItsWay
	}
	return err
}

const deliverEvery = time.Minute

// runNotices tells until ctx ends, and marks notices to units as delivered once a
// channel took them.
func (h *House) runNotices(ctx context.Context) {
	done := make(chan struct{})
	go func() { defer close(done); h.Notices.Run(ctx) }()
	tick := time.NewTicker(deliverEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			<-done
			return
		case <-tick.C:
		}
		if err := h.Life.Deliver(ctx, ""); err != nil && ctx.Err() == nil {
			h.cfg.Log.ErrorContext(ctx, "notices of compromised keys", "error", err)
		}
	}
}
