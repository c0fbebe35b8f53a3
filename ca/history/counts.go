package history

import (
	"context"
	"time"

	"github.com/yinxin-gov/yinxin/ca"
)

// Tally is a number of one unit.
type Tally struct {
	Agency string
	Count  int
}

// MadeTally counts certificates that were issued.
type MadeTally struct {
	Agency string
	Issued
}

// GoneTally counts revocations.
type GoneTally struct {
	Agency string
	Revoked
}

// StandTally counts what is in force.
type StandTally struct {
	Agency, System string
	Kind           ca.Kind
	Count          int
}

// SettledTally counts requests by how they were settled.
type SettledTally struct {
	Agency string
	State  ca.RequestState
	Count  int
}

// Wait is a request that got its first certificate.
type Wait struct {
	Agency      string
	Asked, Made time.Time
}

// Counts reads the rows of a span of time, the first moment in it and the last
// one not.
type Counts interface {
	CertificateCounts
	RequestCounts
	// Registered lists the systems that were registered before a moment, by id.
	Registered(ctx context.Context, before time.Time) ([]System, error)
}

// CertificateCounts are about certificates that were signed.
type CertificateCounts interface {
	Made(ctx context.Context, from, to time.Time) ([]MadeTally, error)
	Gone(ctx context.Context, from, to time.Time) ([]GoneTally, error)
	// Expired counts those whose date came and that were not revoked until then.
	Expired(ctx context.Context, from, to time.Time) ([]Tally, error)
	Held(ctx context.Context, from, to time.Time) ([]Tally, error)
	// StandingAt counts what is in force at a moment.
	StandingAt(ctx context.Context, at time.Time) ([]StandTally, error)
}

// RequestCounts are about requests, and keys that were recovered.
type RequestCounts interface {
	Submitted(ctx context.Context, from, to time.Time) ([]Tally, error)
	Settled(ctx context.Context, from, to time.Time) ([]SettledTally, error)
	Waits(ctx context.Context, from, to time.Time) ([]Wait, error)
	Recovered(ctx context.Context, from, to time.Time) ([]Tally, error)
}
