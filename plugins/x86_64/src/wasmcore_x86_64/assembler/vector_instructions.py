"""Numbers of the vector instructions, for the forms of the assembler (`assembler`); the names are those of SSE in the manuals.

With `VEX` the same numbers are the AVX instructions, on three operands where SSE has two; the last groups exist only so.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


# Logic
PAND: Final = 0x6601DB
PANDN: Final = 0x6601DF
POR: Final = 0x6601EB
PXOR: Final = 0x6601EF
PTEST: Final = 0x660217

# Integer arithmetic
PADDB: Final = 0x6601FC
PADDW: Final = 0x6601FD
PADDD: Final = 0x6601FE
PADDQ: Final = 0x6601D4
PADDSB: Final = 0x6601EC
PADDSW: Final = 0x6601ED
PADDUSB: Final = 0x6601DC
PADDUSW: Final = 0x6601DD
PSUBB: Final = 0x6601F8
PSUBW: Final = 0x6601F9
PSUBD: Final = 0x6601FA
PSUBQ: Final = 0x6601FB
PSUBSB: Final = 0x6601E8
PSUBSW: Final = 0x6601E9
PSUBUSB: Final = 0x6601D8
PSUBUSW: Final = 0x6601D9
PMULLW: Final = 0x6601D5
PMULLD: Final = 0x660240
"""With `EVEX` and wide: `vpmullq`."""
PMULHW: Final = 0x6601E5
PMULHUW: Final = 0x6601E4
PMULHRSW: Final = 0x66020B
PMULDQ: Final = 0x660228
PMULUDQ: Final = 0x6601F4
PMADDWD: Final = 0x6601F5
PMADDUBSW: Final = 0x660204
PAVGB: Final = 0x6601E0
PAVGW: Final = 0x6601E3
PABSB: Final = 0x66021C
PABSW: Final = 0x66021D
PABSD: Final = 0x66021E
PMINSB: Final = 0x660238
PMINSW: Final = 0x6601EA
PMINSD: Final = 0x660239
PMINUB: Final = 0x6601DA
PMINUW: Final = 0x66023A
PMINUD: Final = 0x66023B
PMAXSB: Final = 0x66023C
PMAXSW: Final = 0x6601EE
PMAXSD: Final = 0x66023D
PMAXUB: Final = 0x6601DE
PMAXUW: Final = 0x66023E
PMAXUD: Final = 0x66023F

# Integer comparisons
PCMPEQB: Final = 0x660174
PCMPEQW: Final = 0x660175
PCMPEQD: Final = 0x660176
PCMPEQQ: Final = 0x660229
PCMPGTB: Final = 0x660164
PCMPGTW: Final = 0x660165
PCMPGTD: Final = 0x660166
PCMPGTQ: Final = 0x660237
"""SSE4.2."""

# Shifts by the low 64 bits of a vector register
PSLLW: Final = 0x6601F1
PSLLD: Final = 0x6601F2
PSLLQ: Final = 0x6601F3
PSRLW: Final = 0x6601D1
PSRLD: Final = 0x6601D2
PSRLQ: Final = 0x6601D3
PSRAW: Final = 0x6601E1
PSRAD: Final = 0x6601E2
"""With `EVEX` and wide: `vpsraq`."""
# Shifts by `imm8`: digits 2 right, 4 right with the sign, 6 left.
PSHIFTW: Final = 0x660171
PSHIFTD: Final = 0x660172
"""With `EVEX` and wide, digit 4: `vpsraq`."""
PSHIFTQ: Final = 0x660173
DIGIT_RIGHT: Final = 2
DIGIT_RIGHT_SIGNED: Final = 4
DIGIT_LEFT: Final = 6

# Lanes
PACKSSWB: Final = 0x660163
PACKUSWB: Final = 0x660167
PACKSSDW: Final = 0x66016B
PACKUSDW: Final = 0x66022B
PUNPCKLBW: Final = 0x660160
PUNPCKLWD: Final = 0x660161
PUNPCKLDQ: Final = 0x660162
PUNPCKLQDQ: Final = 0x66016C
PUNPCKHBW: Final = 0x660168
PUNPCKHWD: Final = 0x660169
PUNPCKHDQ: Final = 0x66016A
PUNPCKHQDQ: Final = 0x66016D
PSHUFB: Final = 0x660200
PSHUFD: Final = 0x660170
"""`imm8` follows, as with all to `INSERTPS`."""
PSHUFLW: Final = 0xF20170
SHUFPS: Final = 0x1C6
PALIGNR: Final = 0x66030F
PBLENDW: Final = 0x66030E
PINSRB: Final = 0x660320
PINSRW: Final = 0x6601C4
PINSRD: Final = 0x660322
"""64 bits when wide, like `PEXTRD`."""
PEXTRB: Final = 0x660314
PEXTRW: Final = 0x6601C5
"""To a general register, which is in the place of the register; the others have it in the place of memory."""
PEXTRW_STORE: Final = 0x660315
PEXTRD: Final = 0x660316
INSERTPS: Final = 0x660321
PMOVSXBW: Final = 0x660220
PMOVSXWD: Final = 0x660223
PMOVSXDQ: Final = 0x660225
PMOVZXBW: Final = 0x660230
PMOVZXWD: Final = 0x660233
PMOVZXDQ: Final = 0x660235
PMOVMSKB: Final = 0x6601D7
MOVMSKPS: Final = 0x150
MOVMSKPD: Final = 0x660150
MOVLHPS: Final = 0x116
"""Of registers; from memory it is `movhps`."""
MOVHPS_STORE: Final = 0x117
MOVDDUP: Final = 0xF20112

# Floats
ADDPS: Final = 0x158
ADDPD: Final = 0x660158
MULPS: Final = 0x159
MULPD: Final = 0x660159
SUBPS: Final = 0x15C
SUBPD: Final = 0x66015C
MINPS: Final = 0x15D
MINPD: Final = 0x66015D
DIVPS: Final = 0x15E
DIVPD: Final = 0x66015E
MAXPS: Final = 0x15F
MAXPD: Final = 0x66015F
SQRTPS: Final = 0x151
SQRTPD: Final = 0x660151
CMPPS: Final = 0x1C2
"""`imm8` follows: 0 equal, 1 less, 2 less or equal, 3 unordered, 4 not equal. With `EVEX`, the register is that of a mask."""
CMPPD: Final = 0x6601C2
ROUNDPS: Final = 0x660308
"""`imm8` follows: 8 nearest, 9 floor, 10 ceil, 11 trunc."""
ROUNDPD: Final = 0x660309
CVTDQ2PS: Final = 0x15B
CVTDQ2PD: Final = 0xF301E6
CVTTPS2DQ: Final = 0xF3015B
CVTTPD2DQ: Final = 0x6601E6
CVTPS2PD: Final = 0x15A
CVTPD2PS: Final = 0x66015A

# AVX and AVX2 only
VBROADCASTSS: Final = 0x660218
VPBROADCASTB: Final = 0x660278
VPBROADCASTW: Final = 0x660279
VPBLENDVB: Final = 0x66034C
"""The register of the mask follows in the upper half of a byte."""
# FMA only: doubles when wide. 213: d = first * d + second; 231: d = first * second + d; N: the product is subtracted.
VFMADD213: Final = 0x6602A8
VFMADD231: Final = 0x6602B8
VFNMADD213: Final = 0x6602AC
VFNMADD231: Final = 0x6602BC

# AVX-512 only: `EVEX`
VPABSQ: Final = 0x66021F
"""Wide."""
VPTERNLOG: Final = 0x660325
"""`imm8` follows: the function as a table, its index made of a bit of the destination, of the first and of the second source."""
VRANGEPS: Final = 0x660350
"""`imm8` follows: 4 minimum, 5 maximum, where -0 is less than 0; of doubles when wide. A number wins over a NaN."""
VCVTUDQ2PS: Final = 0xF2017A
VCVTUDQ2PD: Final = 0xF3017A
VCVTTPS2UDQ: Final = 0x178
VCVTTPD2UDQ: Final = 0x178
"""Wide."""
