// Package screen stands for the console on a screen: an image that links it shows there what goes to the serial line, whether there is one or not. Everything of it is in
// package runtime (runtime/_goroot_screen), for an image that dies speaks from there. mkimage links it into all formats but elf, whose machines have no screens.
package screen
