// The turn of golang.org/x/oauth2 beside tokenward's, printed as peers.rs prints its sides: a request, the canned
// answer, the header.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

type canned []byte

func (body canned) RoundTrip(request *http.Request) (*http.Response, error) {
	header := http.Header{"Content-Type": {"application/json"}}
	return &http.Response{StatusCode: 200, Header: header, Body: io.NopCloser(bytes.NewReader(body)), Request: request}, nil
}

func main() {
	body, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	client := &http.Client{Transport: canned(body)}
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, client)
	config := clientcredentials.Config{
		ClientID:     "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0",
		ClientSecret: "a-secret-of-forty-bytes-0123456789abcdef",
		TokenURL:     "https://oauth.flip.energy/token",
		AuthStyle:    oauth2.AuthStyleInParams,
	}
	request, err := http.NewRequest("GET", "https://api-utility-sandbox.flip.energy/v1/programs", nil)
	if err != nil {
		panic(err)
	}
	least := math.Inf(1)
	for range 2000 {
		start := time.Now()
		for range 16 {
			token, err := config.Token(ctx)
			if err != nil {
				panic(err)
			}
			token.SetAuthHeader(request)
		}
		least = min(least, float64(time.Since(start).Nanoseconds())/16)
	}
	fmt.Printf("turn\tclient_credentials\tx/oauth2 (Go), a process of its own\t%f\n", least)
}
