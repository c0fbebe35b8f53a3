// Command warm compiles the engine into a cache for the tests. They are built
// with the race detector, under which the compiler of the engine takes ten times
// as long; this program is not.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/yinxin-gov/yinxin/signer/pdf/pdftest"
	"github.com/yinxin-gov/yinxin/signer/pdfview"
)

func main() {
	v := pdfview.New(pdfview.Config{Cache: os.Args[1]})
	if _, err := v.Paint(context.Background(), pdftest.Letter(pdftest.Options{}), 1, 100, 100, false); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
