package agent

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// The folder of a system:
//
//	tls.crt, tls.key, sm2-…  the six names: links through live
//	live -> sets/000002      the set in force; one rename changes all six files
//	sets/000002/             the files themselves
//	sets/000001/             the set before, for a program that reads it just now
//	old/SERIAL.{key,crt}     encryption pairs of before: what was sent then still opens
//	house/                   address, roots and owner of the served files
//	enrolment.json, renewal.json  what is under way
//	status.json              what the sidecar says of itself
const (
	nameLive = "live"
	dirSets  = "sets"
	dirOld   = "old"
)

// setName is what live may point to: nothing outside of the folder.
var setName = regexp.MustCompile(`^[0-9]{6}$`)

// Owner is to whom the served files (tls.crt, tls.key) belong; -1 leaves the
// agent's own. With a group the key has mode 0640, else 0600. The SM2 keys are
// never handed over.
type Owner struct {
	UID int `json:"uid"`
	GID int `json:"gid"`
}

func (o *Owner) group() bool { return o != nil && o.GID >= 0 }

// folders are closed to others; whom the served files belong to may walk
// through, and list nothing.
func (o *Owner) folders() os.FileMode {
	if o == nil {
		return 0o700
	}
	return 0o711
}

// keyMode is that of the served key.
func (o *Owner) keyMode() os.FileMode {
	if o.group() {
		return 0o640
	}
	return 0o600
}

func (o *Owner) take(path string) error {
	if o == nil {
		return nil
	}
	if err := os.Chown(path, o.UID, o.GID); err != nil {
		return fmt.Errorf("%w: hand over %s: %w", ErrFiles, filepath.Base(path), err)
	}
	return nil
}

// liveSet names the set in force; ErrFiles when there is none.
func liveSet(dir string) (string, error) {
	to, err := os.Readlink(filepath.Join(dir, nameLive))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrFiles, err)
	}
	parent, name := filepath.Split(to)
	if parent != dirSets+string(filepath.Separator) || !setName.MatchString(name) {
		return "", fmt.Errorf("%w: %s does not lead to a set of the folder", ErrFiles, nameLive)
	}
	return name, nil
}

func setPath(dir, set string) string { return filepath.Join(dir, dirSets, set) }

// nextSet makes the folder of the set after all that are there.
func nextSet(dir string, mode os.FileMode) (string, error) {
	entries, err := os.ReadDir(filepath.Join(dir, dirSets))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrFiles, err)
	}
	last := 0
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil && setName.MatchString(e.Name()) {
			last = max(last, n)
		}
	}
	name := fmt.Sprintf("%06d", last+1)
	if err := mkdir(setPath(dir, name), mode); err != nil {
		return "", err
	}
	return name, nil
}

// mkdir makes a folder with exactly this mode, whatever the umask; one that is
// there keeps its mode.
func mkdir(path string, mode os.FileMode) error {
	err := os.Mkdir(path, mode)
	switch {
	case err == nil:
		err = os.Chmod(path, mode)
	case errors.Is(err, os.ErrExist):
		var info os.FileInfo
		if info, err = os.Stat(path); err == nil && !info.IsDir() {
			err = fmt.Errorf("%s is no folder", path)
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFiles, err)
	}
	return nil
}

// link points name at target in one rename.
func link(dir, name, target string) error {
	tmp := filepath.Join(dir, ".link-"+name)
	_ = os.Remove(tmp) // of a run that was killed here
	if err := os.Symlink(target, tmp); err != nil {
		return fmt.Errorf("%w: %w", ErrFiles, err)
	}
	if err := os.Rename(tmp, filepath.Join(dir, name)); err != nil {
		return errors.Join(fmt.Errorf("%w: %w", ErrFiles, err), os.Remove(tmp))
	}
	return nil
}

// readTime is more than a program takes from resolving live to reading the files.
const readTime = time.Minute

// publish makes a complete set the one in force. Until the last rename every
// reader sees the set before; afterwards that one is kept beside it, and a younger
// one while a program may still be reading it.
func publish(dir, set string) error {
	before, _ := liveSet(dir) // none at enrolment
	for _, name := range allFiles() {
		if err := link(dir, name, filepath.Join(nameLive, name)); err != nil {
			return err
		}
	}
	for _, d := range []string{setPath(dir, set), filepath.Join(dir, dirSets)} {
		if err := syncDir(d); err != nil {
			return err
		}
	}
	if err := link(dir, nameLive, filepath.Join(dirSets, set)); err != nil {
		return err
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(dir, dirSets))
	for _, e := range entries {
		n := e.Name()
		if !setName.MatchString(n) || n == set || n == before {
			continue
		}
		// Files have the time of the machine, whatever clock the agent goes by.
		if info, statErr := e.Info(); statErr == nil && time.Since(info.ModTime()).Abs() < readTime {
			continue
		}
		err = errors.Join(err, os.RemoveAll(setPath(dir, n)))
	}
	if err != nil {
		return fmt.Errorf("%w: remove what is not in use: %w", ErrFiles, err)
	}
	return nil
}

// syncDir makes names durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFiles, err)
	}
	err = errors.Join(d.Sync(), d.Close())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFiles, err)
	}
	return nil
}

// reserveSize is more than two sets, with the folder's other files.
const reserveSize = 128 << 10

func reservePath(dir string) string { return filepath.Join(dir, ".reserve") }

// reserve takes the room on the disk before a token is spent, and proves that
// files can be written and handed over.
func reserve(dir string, o *Owner) error {
	if err := writeFile(reservePath(dir), bytes.Repeat([]byte{0}, reserveSize), 0o600); err != nil {
		return err
	}
	return o.take(reservePath(dir))
}
