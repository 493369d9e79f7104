package runtime

import (
	"errors"
	"testing"
)

const asmSource = `#include "textflag.h"

// TEXT ·a(SB) in a comment is none.
TEXT ·a(SB),NOSPLIT,$0
	MOVQ	$1, AX
#ifdef X
	NOP
#define ONCE	MOVQ AX, AX \
	RET
#endif
loop:
	JMP	loop

// b follows.
TEXT p·b<>(SB),NOSPLIT,$0-8
	RET
DATA d<>(SB)/8, $1
#ifdef Y
TEXT ·c<ABIInternal>(SB),NOSPLIT,$0
	RET
#else
TEXT ·c<ABIInternal>(SB),NOSPLIT,$0
	NOP
	RET
#endif
MACRO(·d, 16)
`

func TestPatchAsm(t *testing.T) {
	for _, c := range []struct{ symbol, want string }{
		{"·a", `#include "textflag.h"

// TEXT ·a(SB) in a comment is none.


#ifdef X

#define ONCE	MOVQ AX, AX \
	RET
#endif




TEXT p·b<>(SB),NOSPLIT,$0-8
	RET
DATA d<>(SB)/8, $1
#ifdef Y
TEXT ·c<ABIInternal>(SB),NOSPLIT,$0
	RET
#else
TEXT ·c<ABIInternal>(SB),NOSPLIT,$0
	NOP
	RET
#endif
MACRO(·d, 16)
`},
		{"p·b", `#include "textflag.h"

// TEXT ·a(SB) in a comment is none.
TEXT ·a(SB),NOSPLIT,$0
	MOVQ	$1, AX
#ifdef X
	NOP
#define ONCE	MOVQ AX, AX \
	RET
#endif
loop:
	JMP	loop

// b follows.


DATA d<>(SB)/8, $1
#ifdef Y
TEXT ·c<ABIInternal>(SB),NOSPLIT,$0
	RET
#else
TEXT ·c<ABIInternal>(SB),NOSPLIT,$0
	NOP
	RET
#endif
MACRO(·d, 16)
`},
		{"·c", `#include "textflag.h"

// TEXT ·a(SB) in a comment is none.
TEXT ·a(SB),NOSPLIT,$0
	MOVQ	$1, AX
#ifdef X
	NOP
#define ONCE	MOVQ AX, AX \
	RET
#endif
loop:
	JMP	loop

// b follows.
TEXT p·b<>(SB),NOSPLIT,$0-8
	RET
DATA d<>(SB)/8, $1
#ifdef Y


#else



#endif
MACRO(·d, 16)
`},
	} {
		t.Run(c.symbol, func(t *testing.T) {
			got, err := patchAsm([]byte(asmSource), []Edit{{File: "p/p.s", Decl: c.symbol, Op: DropText, Why: "test"}})
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}

func TestPatchAsmRefuses(t *testing.T) {
	edit := func(decl string) Edit { return Edit{File: "p/p.s", Decl: decl, Op: DropText, Why: "test"} }
	if _, err := patchAsm([]byte(asmSource), []Edit{edit("·gone")}); !errors.Is(err, ErrNoSymbol) {
		t.Errorf("err = %v, want %v", err, ErrNoSymbol)
	}
	if _, err := patchAsm([]byte(asmSource), []Edit{edit("·a"), edit("·a")}); !errors.Is(err, ErrConflict) {
		t.Errorf("err = %v, want %v", err, ErrConflict)
	}
}
