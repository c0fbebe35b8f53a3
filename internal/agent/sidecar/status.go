package sidecar

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// maxStatus bounds the file; errors in it are bounded each.
const (
	maxStatus = 64 << 10
	maxError  = 2 << 10
)

// ErrStatus: the state cannot be read or written.
var ErrStatus = errors.New("sidecar: state")

// File is the path of the state (status.json in the folder).
type File string

// State is what the sidecar says of itself to `agent status`, and remembers.
type State struct {
	Updated time.Time             `json:"updated"`
	Set     string                `json:"set"`
	Tracks  map[agent.Track]Track `json:"tracks"`
	Reload  *Reload               `json:"reload,omitempty"`
	Closing *wire.Closing         `json:"closing,omitempty"` // the announced end of the house's certification service
}

// Track is the plan of one track.
type Track struct {
	Serial string    `json:"serial"`
	Next   time.Time `json:"next"` // renewal, or the next try of one
	Tries  int       `json:"failed_tries,omitempty"`
	Error  string    `json:"error,omitempty"`
	Failed time.Time `json:"failed,omitzero"`
}

// Reload is what became of the last set at the served program.
type Reload struct {
	Done   string    `json:"set,omitempty"` // that the program was told of
	Next   time.Time `json:"next,omitzero"`
	Error  string    `json:"error,omitempty"`
	Failed time.Time `json:"failed,omitzero"`
}

// Read returns the state; the zero State when there is none yet.
func (f File) Read() (State, error) {
	var st State
	file, err := os.Open(string(f))
	if errors.Is(err, os.ErrNotExist) {
		return st, nil
	}
	if err != nil {
		return st, fmt.Errorf("%w: %w", ErrStatus, err)
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxStatus+1))
	if err == nil && len(raw) > maxStatus {
		err = errors.New("too large")
	}
	if err == nil {
		err = json.Unmarshal(raw, &st)
	}
	if err != nil {
		return State{}, fmt.Errorf("%w: %s: %w", ErrStatus, filepath.Base(string(f)), err)
	}
	return st, nil
}

// write replaces the file whole. It holds no secret; the folder is closed.
func (f File) write(st State) error {
	raw, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStatus, err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(string(f)), ".status-*") // 0600
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStatus, err)
	}
	_, err = tmp.Write(append(raw, '\n'))
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), string(f))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("%w: %w", ErrStatus, err), os.Remove(tmp.Name()))
	}
	return nil
}

func (s *Sidecar) state(set string) State {
	st := State{Updated: s.cfg.Now().UTC(), Set: set, Tracks: map[agent.Track]Track{}, Closing: s.closing.said}
	for t, p := range s.plans {
		st.Tracks[t] = Track{Serial: p.serial, Next: p.next.UTC(), Tries: p.tries, Error: cut(p.err), Failed: p.failed}
	}
	if s.cfg.Reload != nil {
		st.Reload = &Reload{Done: s.reload.done, Next: s.reload.next, Error: cut(s.reload.err), Failed: s.reload.failed}
	}
	return st
}

// resume takes up plans and failures of the run before. Tries are due at once:
// the restart may be what mends them.
func (s *Sidecar) resume(st State) {
	for t, v := range st.Tracks {
		p := plan{serial: v.Serial, next: v.Next, tries: v.Tries, err: v.Error, failed: v.Failed}
		if p.err != "" {
			p.next = time.Time{}
		}
		s.plans[t] = p
	}
	if st.Reload != nil {
		s.reload = reloading{done: st.Reload.Done, err: st.Reload.Error, failed: st.Reload.Failed}
	}
}

func cut(s string) string { return s[:min(len(s), maxError)] }
