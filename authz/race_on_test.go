//go:build race

package authz

// raceDetector makes exhaustive tests short: `make test` runs them in full in a
// step without it.
const raceDetector = true
