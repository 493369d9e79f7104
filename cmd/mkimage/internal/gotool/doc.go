// Package gotool talks to the go command: it asks for its settings, reads its
// JSON, and puts together flags so that what a user asked for and what an image
// needs both hold.
//
// It decides nothing about images. How the go command reads its flags is told
// by "go help build" and "go help environment".
package gotool
