// Interface between the GEMM driver and its micro-kernels: a descriptor of function pointers, layouts and tile sizes.
#ifndef QK_INTEGER_GEMM_H
#define QK_INTEGER_GEMM_H

#include "ckernels/integer.h"

enum {
  /// A group: up to 4 panels that one call of a kernel multiplies. Its sums are in rows of 64 int32.
  QK_GROUP_PANELS = 4,
  QK_GROUP_COLUMNS = QK_GROUP_PANELS * QK_PANEL_ROWS,
  /// Tokens of one call of a kernel, a multiple of the tiles of 4, 6 and 8 tokens. The sums of 24 tokens and 4 panels,
  /// 6 KiB, are finished while they are in the L1 cache, and calls are rare enough to cost nothing.
  QK_GEMM_TOKEN_STEP = 24,
  /// Calls with fewer products run on the calling thread.
  QK_GEMM_SERIAL_PRODUCTS = 1500000
};

/// Shift of activations whose sign does not suit the products of bytes. x86 multiplies uint8 by int8 and prepares
/// signed codes as code + 128. Arm multiplies int8 by int8 and prepares unsigned codes as code − 128.
#if defined(__aarch64__)
#define QK_ACTIVATION_SHIFT (-128)
#else
#define QK_ACTIVATION_SHIFT 128
#endif

/// Layouts and functions that multiply one precision of weights by its activations.
typedef struct qk_gemm_precision {
  int32_t activation_bytes;   ///< bytes of one prepared activation: 1 or 2
  int32_t shifted;            ///< 1: activations of the other sign are prepared as code + QK_ACTIVATION_SHIFT
  int32_t sum_shift;          ///< the sums of `multiply` are 2^sum_shift times Σ x·w
  int32_t panel_bytes;        ///< bytes of 16 codes (one k) of a prepared panel; 0: packed panels are used directly
  int32_t few_tokens;         ///< blocks of at most this many tokens use `multiply_few`
  int32_t few_shift;          ///< its sums are 2^few_shift times Σ x·w; shifts are 0 or 4
  int32_t tile_tokens;        ///< tokens of a tile of a whole group; blocks of tokens are multiples of it

  /// Prepares `depth` codes of one token, followed by zeros up to `padded` (a multiple of 8).
  void (*load_activations)(const void *codes, int is_unsigned, int32_t depth, int32_t padded, void *out);
  /// Prepares a packed panel of `depth` (a multiple of 8).
  void (*load_panel)(const uint8_t *panel, int32_t depth, void *out);
  /// sums[t][0…16·panels−1] = Σ_k x[t]·w for 1…QK_GEMM_TOKEN_STEP tokens; strides in bytes.
  void (*multiply)(const uint8_t *x, size_t x_stride, int32_t tokens, const uint8_t *panel, size_t panel_stride,
                   int32_t panels, int32_t depth, int32_t *sums);
  /// The same plus start[0…16·panels−1], rows `sums_stride` apart: 32-bit outputs that need no finish are written
  /// directly to their place. May be null.
  void (*multiply_onto)(const uint8_t *x, size_t x_stride, int32_t tokens, const uint8_t *panel, size_t panel_stride,
                        int32_t panels, int32_t depth, const int32_t *start, int32_t *sums, size_t sums_stride);
  /// `multiply` from packed panels, for up to few_tokens tokens; null when few_tokens is 0.
  void (*multiply_few)(const uint8_t *x, size_t x_stride, int32_t tokens, const uint8_t *panel, size_t panel_stride,
                       int32_t panels, int32_t depth, int32_t *sums);
} qk_gemm_precision;

/// Finish of the sums of a group. Arrays start at the group's first slot, or row, and 64 entries may be read.
typedef struct qk_gemm_finish {
  qk_output_form form;          ///< RESIDUAL only when the output is in slot order as well
  int32_t lo, hi, columns;      ///< columns that exist, 1…64
  int32_t sum_shift, high_word;
  const int32_t *bias, *multiplier;
  const int64_t *offset;        ///< as in qk_ordered_constants
  const double *factor;
  const float *scale;
  const uint8_t *table;
  void *output;
  int8_t *rest;                 ///< of forms that have it
  size_t output_bytes;          ///< from one token to the next, also of rests
  const int16_t *residual;
  size_t residual_bytes;
} qk_gemm_finish;

/// Moves the finish on to the tokens after the next `tokens` ones.
static inline void qk_next_tokens(qk_gemm_finish *f, int32_t tokens) {
  f->output = (uint8_t *)f->output + (size_t)tokens * f->output_bytes;
  if (f->rest) f->rest += (size_t)tokens * f->output_bytes;
  if (f->residual) f->residual = (const int16_t *)((const uint8_t *)f->residual + (size_t)tokens * f->residual_bytes);
}

/// Rows of a block of tokens to bring from slot order into row order; strides are bytes from token to token.
typedef struct qk_gemm_merge {
  const uint8_t *from8, *from4;  ///< next code of either precision; 64 elements may be read past the last
  size_t from_stride;
  const uint64_t *is8;           ///< bit n % 64 of word n / 64: row n is an 8-bit row; starts at row 0 of the merge
  int32_t tokens, rows, element; ///< element: 1, 2 or 4 bytes
  uint8_t *output;
  size_t output_stride;
  const uint8_t *residual;       ///< int16, elements of 2 bytes only: output = sat16(residual + code); may be null
  size_t residual_stride;
} qk_gemm_merge;

/// Sixteen consecutive rows of mixed weights. Their 8-bit rows are the slots from slot8 on, their 4-bit rows those from
/// slot4 on, each counted in its own panels. Slots beyond `panels8` or `panels4` panels hold no row.
typedef struct qk_gemm_rows {
  const uint8_t *from8, *from4;  ///< first panel of either precision
  int32_t panels8, panels4;
  int32_t slot8, slot4;
  uint16_t is8;                  ///< bit i: row i is an 8-bit row
} qk_gemm_rows;

typedef struct qk_gemm_kernel {
  const char *name;
  int32_t group_panels;                          ///< 1…4
  qk_gemm_precision w8, w4;
  void (*finish)(const qk_gemm_finish *finish, int32_t tokens, const int32_t *sums);
  /// Multiplies and finishes at once, for the first tokens of a block. Returns their number, 0 where it does not serve
  /// the form or the number of panels. Sums are those of `multiply` of both precisions. May be null.
  int32_t (*multiply_finished)(const uint8_t *x, size_t x_stride, int32_t tokens, const uint8_t *panel,
                               size_t panel_stride, int32_t panels, int32_t depth, const qk_gemm_finish *finish);
  /// Brings outputs of mixed rows, staged in slot order, into row order.
  void (*merge)(const qk_gemm_merge *merge);
  /// Lays out mixed rows as an 8-bit panel in row order, so that nothing needs to be merged. Null where 4-bit rows have
  /// products of their own.
  void (*load_rows)(const qk_gemm_rows *rows, int32_t depth, uint8_t *out);
  int32_t ordered_bytes;  ///< bytes of outputs per row from which on load_rows costs less than merge
} qk_gemm_kernel;

/// Cuts, distributes and runs a checked call.
qk_status qk_gemm_blocked(const qk_gemm_kernel *kernel, const qk_gemm_arguments *arguments);

#endif
