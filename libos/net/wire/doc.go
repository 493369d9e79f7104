// Package wire is the headers of packets as named byte slices: offsets are constants, accessors read and write what lies there, and a Check tells once
// whether a slice is long enough and makes sense. Nothing here allocates, keeps state or knows what a header is for.
//
// Byte order is the network's. TCP's header is package tcp's own.
package wire
