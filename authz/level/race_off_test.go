//go:build !race

package level_test

// raceDetector makes exhaustive tests short: `make test` runs them in full in a
// step without it.
const raceDetector = false
