package route

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxAge is how long routes are remembered: a withdrawal counts on every node
// within it.
const maxAge = time.Second

const maxPath = 4096

// Match finds the one route of a system for a request. target is the path as it
// came, with its query, which is not looked at. It returns ErrPath, ErrNotFound
// when no route or more than one fits, or a failure of the store.
func (s *Service) Match(ctx context.Context, system, method, target string) (Route, error) {
	path, err := clean(target)
	if err != nil {
		return Route{}, err
	}
	all, err := s.inForce(ctx)
	if err != nil {
		return Route{}, err
	}
	return match(all[system], method, path)
}

// match takes the longest prefix, whatever its methods: what is registered for
// part of an interface is not caught by what stands above it. A path that differs
// from the prefix in case only may be the same to the program behind: it has none.
func match(routes []Route, method, path string) (Route, error) {
	var fit []Route
	longest := -1
	for _, r := range routes {
		switch n := len(r.Prefix); {
		case !covers(r.Prefix, path) || n < longest:
		case n > longest:
			fit, longest = []Route{r}, n
		default:
			fit = append(fit, r)
		}
	}
	fit = slices.DeleteFunc(fit, func(r Route) bool {
		return !strings.HasPrefix(path, r.Prefix) || len(r.Methods) > 0 && !slices.Contains(r.Methods, method)
	})
	if len(fit) != 1 {
		return Route{}, fmt.Errorf("%w: %d routes fit", ErrNotFound, len(fit))
	}
	return fit[0], nil
}

// covers, without regard to case.
func covers(prefix, path string) bool {
	if prefix == "/" {
		return true
	}
	return len(path) >= len(prefix) && strings.EqualFold(path[:len(prefix)], prefix) && (len(path) == len(prefix) || path[len(prefix)] == '/' || path[len(prefix)] == ';')
}

// clean is the decoded path without its query. It refuses what proxies and
// servers read in different ways: dot segments, empty segments, encoded
// separators, a second layer of encoding, backslashes, control characters.
func clean(target string) (string, error) {
	raw, _, _ := strings.Cut(target, "?")
	if len(raw) > maxPath || !strings.HasPrefix(raw, "/") || strings.Contains(raw, "#") {
		return "", fmt.Errorf("%w: not a path", ErrPath)
	}
	low := strings.ToLower(raw)
	for _, hidden := range []string{"%2f", "%5c", "%25", "%3b"} {
		if strings.Contains(low, hidden) {
			return "", fmt.Errorf("%w: an encoded separator", ErrPath)
		}
	}
	path, err := url.PathUnescape(raw)
	if err != nil || !utf8.ValidString(path) || strings.Contains(path, "//") || strings.ContainsFunc(path, func(c rune) bool { return unicode.IsControl(c) || c == '\\' }) {
		return "", fmt.Errorf("%w: encoding", ErrPath)
	}
	for segment := range strings.SplitSeq(path, "/") {
		name, _, _ := strings.Cut(segment, ";")
		if name == "." || name == ".." {
			return "", fmt.Errorf("%w: dot segments", ErrPath)
		}
	}
	return path, nil
}

// inForce reads the register at most once in maxAge. A register that cannot be
// read has no routes: an old answer is none.
func (s *Service) inForce(ctx context.Context) (map[string][]Route, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	if age := now.Sub(s.read); s.known != nil && age >= 0 && age < maxAge {
		return s.known, nil
	}
	all, err := s.cfg.Register.Routes(ctx, "", InForce)
	if err != nil {
		return nil, fmt.Errorf("route: read register: %w", err)
	}
	known := map[string][]Route{}
	for _, r := range all {
		known[r.System] = append(known[r.System], r)
	}
	s.known, s.read = known, now
	return known, nil
}

func (s *Service) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = nil
}
