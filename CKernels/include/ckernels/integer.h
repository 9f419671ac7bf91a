// Integer-only layers: row-mixed GEMM, attention, LayerNorm. The same bits on every ISA and with any number of threads.
#ifndef CKERNELS_INTEGER_H
#define CKERNELS_INTEGER_H

#include <stddef.h>
#include <stdint.h>
#include "ckernels/arithmetic.h"
#include "ckernels/dispatch.h"
#include "ckernels/pack.h"
#include "ckernels/status.h"

/// Forms of a GEMM's output.
typedef enum qk_output_form {
  QK_OUTPUT_ACCUMULATOR = 0,  ///< int32: the accumulator itself; requantisers unused
  QK_OUTPUT_INT32,            ///< int32: requantised and clamped to lo…hi
  QK_OUTPUT_INT8,             ///< int8: requantised and clamped to lo…hi (within −128…127)
  QK_OUTPUT_TABLE,            ///< uint8: table[code + 128] of the int8 result (GELU)
  QK_OUTPUT_RESIDUAL,         ///< int16: sat16(residual + clamp16(requantised))
  QK_OUTPUT_UINT8,            ///< uint8: requantised and clamped to lo…hi (within 0…255)
  QK_OUTPUT_INT16,            ///< int16: requantised and clamped to lo…hi (within −32768…32767)
  QK_OUTPUT_FLOAT,            ///< float: float(accumulator)·scales[n], each step rounded once; requantisers unused
  QK_OUTPUT_CODE_AND_REST,    ///< int8: the code clamp(round(v), lo, hi) of v = float(accumulator)·scales[n], and its
                              ///< rounding error in `rest`; lo…hi within −128…127, requantisers unused
  QK_OUTPUT_EXACT_AND_REST    ///< int8: the requantised code, clamped to lo…hi, and the same `rest`
} qk_output_form;

/// The rounding error of v, as one byte: round(252·(c − v)) with c = round(v) for lo ≤ v ≤ hi, |.| ≤ 126; −128 below,
/// 127 above. Ties to even; every step is rounded once in float. Example: v = 2.3 → c = 2, 252·(−0.3) → −76.
#define QK_REST_UNITS 252.0f
#define QK_REST_BELOW (-128)
#define QK_REST_ABOVE 127

/// Bias, requantisers and scales in the form that kernels need, for slots or for rows in order. Each array has
/// QK_ROW_SLACK further entries, all 0.
typedef struct qk_ordered_constants {
  const int32_t *bias;
  const int32_t *shifted_bias;         ///< bias − 128·Σ_k W, for activations prepared as code + 128; on Arm
                                       ///< bias + 128·Σ_k W, for code − 128
  const int32_t *multiplier;           ///< M·2^(32−S) when high_word, else 0
  const int64_t *offset;               ///< bias·multiplier + 2^31 when high_word; of every 16 entries the 8 even ones
                                       ///< come first, then the 8 odd ones
  const int64_t *shifted_offset;       ///< the same for shifted_bias
  const double *factor;                ///< M·2^−S
  const float *scale;
} qk_ordered_constants;

/// Constants of a layer, made once by qk_prepare_rows.
typedef struct qk_row_constants {
  const uint8_t *panels;               ///< of the weights that this was made for; bias, requantisers, scales likewise
  const int32_t *row_bias;
  const qk_requantiser *row_requantisers;
  const float *row_scales;
  int32_t high_word;                   ///< 1: every factor is multiplier·2^−32 exactly
  qk_ordered_constants slots, rows;    ///< the same arrays when all rows have one precision
  const uint64_t *is8;                 ///< bit n of word n / 64: row n has 8 bits
} qk_row_constants;

#define QK_ROW_SLACK 64

/// Bytes that qk_prepare_rows needs for these weights; 0 for sizes that it refuses.
size_t qk_row_constants_bytes(const qk_packed_weights *weights);

/// Checks weights, bias and requantisers once and lays out what depends on them in `memory` (64-byte aligned).
///
/// requantisers and scales may be null for forms that do not use them (QK_OUTPUT_FLOAT and …_AND_REST use scales). A
/// layer that keeps *out next to its weights saves the O(rows) checks of every call.
qk_status qk_prepare_rows(const qk_packed_weights *weights, const int32_t *bias, const qk_requantiser *requantisers,
                          const float *scales, void *memory, qk_row_constants *out);

/// Y[t, n] = form(bias[n] + Σ_k X[t, k]·W[n, k]), outputs in the row order of the unpacked matrix.
typedef struct qk_gemm_arguments {
  int32_t tokens;                      ///< T, rows of X
  int32_t activations_unsigned;        ///< 1: X holds uint8 codes, 0: int8
  const void *activations;             ///< [T] rows of `depth` bytes
  size_t activation_stride;            ///< bytes from one row of X to the next, ≥ depth
  const qk_packed_weights *weights;
  const int32_t *bias;                 ///< [rows], |bias| < 2^30
  const qk_requantiser *requantisers;  ///< [rows]; may be null for forms that do not use them
  const float *scales;                 ///< [rows], QK_OUTPUT_FLOAT and …_AND_REST only
  const qk_row_constants *constants;   ///< qk_prepare_rows of the four above; null: made in this call
  qk_output_form form;
  int32_t lo, hi;                      ///< clamp of the requantised forms; TABLE uses them for the index code
  const uint8_t *table;                ///< [256], QK_OUTPUT_TABLE only
  const int16_t *residual;             ///< [T] rows, QK_OUTPUT_RESIDUAL only; may equal output
  size_t residual_stride;              ///< elements
  int8_t *rest;                        ///< …_AND_REST only: rows are output_stride apart (QK_REST_UNITS)
  void *output;                        ///< overlaps no other operand, but may be the residual; `rest` overlaps none
  size_t output_stride;                ///< elements of the output type, ≥ rows
} qk_gemm_arguments;

/// Bytes of one output element: 4, 2 or 1; 0 for a value outside the enum.
size_t qk_output_bytes(qk_output_form form);

/// Floats of memory that qk_rescale_rows needs.
size_t qk_rescaled_floats(const qk_packed_weights *weights);

/// The constants of the same weights with other scales [rows]. `memory` must live as long as the result.
qk_row_constants qk_rescale_rows(const qk_packed_weights *weights, const qk_row_constants *constants, const float *scales,
                                 float *memory);

/// Runs the GEMM with the current ISA; the output is untouched on refusal. Example: 1 token (2, 3), one row (4, −5) and
/// bias 1 give the accumulator −6.
qk_status qk_gemm(const qk_gemm_arguments *arguments);
/// Runs the GEMM with the kernels of one ISA, whatever is forced.
qk_status qk_gemm_with(qk_isa isa, const qk_gemm_arguments *arguments);
/// The definition: three plain loops.
qk_status qk_gemm_reference(const qk_gemm_arguments *arguments);

/// Integer softmax attention, per image and head: scores, unnormalised probabilities, weighted sum, division.
///
/// S = q·kᵀ; d = max_j S − S; P = qk_probability(d); O = Σ P·v; Z = Σ P; U = round(2^8·O/Z);
/// output = clamp((U·M + 2^(S−1)) >> S) with the output requantiser.
typedef struct qk_attention_arguments {
  int32_t batch, tokens, heads;
  int32_t head_dimension;              ///< 1…256
  int32_t activation_bits;             ///< 4, 6 or 8
  const int8_t *qkv;                   ///< [batch·tokens][3·heads·head_dimension]: all q, all k, all v; head-major
  qk_requantiser score;                ///< from s_q·s_k·log2(e)/√head_dimension·2^8; multiplier ≥ 0
  const uint16_t *exponent_table;      ///< qk_exponent_table(activation_bits); a wrong first entry E, or an entry
                                       ///< outside E/2…E, gives QK_BAD_SPEC
  qk_requantiser output_requantiser;   ///< from s_v·2^−8 / s_out
  int32_t lo, hi;
  int8_t *output;                      ///< [batch·tokens][heads·head_dimension]
} qk_attention_arguments;

qk_status qk_attention(const qk_attention_arguments *arguments);
qk_status qk_attention_with(qk_isa isa, const qk_attention_arguments *arguments);
qk_status qk_attention_reference(const qk_attention_arguments *arguments);

/// Largest number of tokens of one attention call (the reference keeps a row of scores on the stack).
#define QK_MAX_TOKENS 4096

/// Integer LayerNorm over rows of an int16 stream.
///
/// μ = ⌊(2Σr + D)/2D⌋; c = r − μ; V = Σc² + E; s = ⌊√V⌋; F = ⌊2^30/max(s, 1)⌋;
/// y = clamp((c·F·M_i + B_i + 2^(S_i−1)) >> S_i, lo, hi).
typedef struct qk_layer_norm_arguments {
  int32_t rows, width;                 ///< width D ≤ 8192
  const int16_t *input;
  size_t input_stride;                 ///< elements between rows
  int64_t epsilon_code;                ///< E ≥ 0, < 2^40
  const qk_requantiser *scales;        ///< [D] from weight·√D / (2^30·s_y)
  const int64_t *offsets;              ///< [D] B_i = round(bias/s_y·2^S_i), |B_i| < 2^62
  int32_t lo, hi;
  int8_t *output;
  size_t output_stride;
} qk_layer_norm_arguments;

qk_status qk_layer_norm(const qk_layer_norm_arguments *arguments);
qk_status qk_layer_norm_with(qk_isa isa, const qk_layer_norm_arguments *arguments);
qk_status qk_layer_norm_reference(const qk_layer_norm_arguments *arguments);

/// Statistics that the LayerNorm unit finds in one row before it scales.
typedef struct qk_row_statistics {
  int32_t mean;        ///< μ
  int64_t variance;    ///< V = Σc² + E < 2^46
  uint32_t deviation;  ///< s = ⌊√V⌋ < 2^23
  int32_t inverse;     ///< F = ⌊2^30/max(s, 1)⌋
} qk_row_statistics;

/// Writes μ, V, s and F of every row, as qk_layer_norm uses them, to statistics[rows]; the output is not written.
qk_status qk_layer_norm_statistics(const qk_layer_norm_arguments *arguments, qk_row_statistics *statistics);

/// out[i] = table[codes[i] + 128]: applies the table of QK_OUTPUT_TABLE to existing codes; `out` overlaps neither.
void qk_look_up(size_t count, const int8_t *codes, const uint8_t table[256], uint8_t *out);

#endif
