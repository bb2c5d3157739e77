// Package security reads how a client is to connect: PYLOG_PEER_SECURITY, as ../../README.md has it.
package security

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"os"
)

// Settings of a client; empty for a server that asks nobody.
type Settings struct {
	Protocol    string `json:"protocol"`
	Mechanism   string `json:"mechanism"`
	User        string `json:"user"`
	Password    string `json:"password"`
	Ca          string `json:"ca"`
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
	Administers bool   `json:"administers"`
}

// Read returns the settings that are given.
func Read() (settings Settings) {
	if text := os.Getenv("PYLOG_PEER_SECURITY"); text != "" {
		check(json.Unmarshal([]byte(text), &settings))
	}
	return settings
}

// TLS returns how to connect with TLS, nil for without.
func (s Settings) TLS() *tls.Config {
	if s.Ca == "" {
		return nil
	}
	text, err := os.ReadFile(s.Ca)
	check(err)
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	if !config.RootCAs.AppendCertsFromPEM(text) {
		panic("no certificate in " + s.Ca)
	}
	if s.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(s.Certificate, s.Key)
		check(err)
		config.Certificates = []tls.Certificate{pair}
	}
	return config
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
