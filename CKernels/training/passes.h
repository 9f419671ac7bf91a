// Row passes of the training block. All work on the rows of one leaf, on the calling thread. Nothing is fused
// (float_common.h), and sums run in one order that depends on widths alone, so their bits do not depend on the
// instruction set. There are two instances, for widths divisible by 16 and by 8: passes16.c and passes8.c compile the
// same bodies.
#ifndef QK_PASSES_H
#define QK_PASSES_H

#include "../elementwise/float_common.h"
#include "ckernels/gradient.h"
#include "ckernels/training_block.h"

/// Slopes of a table of codes (GELU and the quantiser after it) at entry code + 128. They are bytes, because bytes are
/// looked up faster than wider numbers are gathered.
typedef struct qk_slope_tables {
  uint8_t upper[256], lower[256];  ///< of the value: the halves of round(slope / QK_SLOPE_UNIT), int16
  uint8_t rest[256];               ///< of the quantiser's step: a remainder byte (QK_REST_UNITS)
  float lo, hi;                    ///< ends of that quantiser's range
} qk_slope_tables;

#define QK_SLOPE_UNIT 0x1p-14f
/// Rows whose entries are looked up together.
#define QK_LOOKED_UP_ROWS 8

/// Backward pass of LayerNorm and its quantiser: gx = gradient of x plus `through`. Sums over the rows of the leaf are
/// written to gweight, gbias and gstep (one sum per column).
typedef struct qk_norm_gradient {
  size_t rows, width;
  const float *x, *weight, *bias, *statistics;
  float step, lo, hi;
  const float *gcodes;   ///< [rows][width] with respect to the dequantised codes
  const float *through;  ///< [rows][width]
  float *gx, *gweight, *gbias, *gstep;
} qk_norm_gradient;

/// Turns the gradient of a linear layer's output into the operands of its two backward products.
///
/// g[r][n] (in place) is multiplied by keep; or by the slope of codes (GELU) and cut by the quantiser whose remainders
/// are given; or cut alone. bias[n] = Σ_r g; step[n] = Σ_r g·slope of the quantiser; table_step[n] = Σ_r g·table slope.
typedef struct qk_output_gradient {
  qk_gradient_form form;                    ///< of the operands
  size_t rows, width, rows_per_image;
  float *g;
  const float *keep;                        ///< or null
  const int8_t *codes;                      ///< index of the tables, or null; needs rest
  const qk_slope_tables *tables;            ///< with codes
  uint8_t *entries;                         ///< [3][QK_LOOKED_UP_ROWS][width] scratch, with codes
  const int8_t *rest;                       ///< or null
  float lo, hi;                             ///< of the quantiser of `rest`
  const float *row_step;                    ///< [width] factor of column n in the input's gradient
  float *bias, *step, *table_step;          ///< [width]; the last two only with rest, codes
  void *left;                               ///< [rows][width] codes of g·row_step
  float *left_scale;                        ///< [rows]
  int32_t *left_sums;                       ///< [rows] sums of the codes, for bytes
  void *panels;                             ///< codes of g as panels of rows × width
  float *panel_scale;                       ///< [width]
  int32_t *panel_sums;                      ///< [width], for bytes
  float *largest;                           ///< [width] scratch
} qk_output_gradient;

/// Turns dP, the gradient of a head's probabilities, into the operands of dq and dk.
///
/// With p = P/ΣP, scores becomes dS = factor·p⊙(dP − Σ p⊙dP), with zeros after its columns.
typedef struct qk_score_gradient {
  qk_gradient_form form;                ///< of the operands
  size_t tokens, stride;                ///< rows of scores and of `left` are `stride` elements apart, a multiple of 16
  const uint8_t *probabilities;         ///< P [tokens][tokens]
  float factor;
  float *scores;                        ///< dP
  float *inverse;                       ///< [tokens] written: 1/ΣP
  void *left;                           ///< codes of the rows of dS
  float *left_scale;                    ///< [tokens]
  int32_t *left_sums;                   ///< [tokens], for bytes
  void *panels;                         ///< codes of dS as panels of tokens × tokens
  float *panel_scale;                   ///< [stride]
  int32_t *panel_sums;                  ///< [stride], for bytes
  float *largest;                       ///< [stride] scratch
} qk_score_gradient;

/// The passes for one granule of widths.
typedef struct qk_block_passes {
  size_t lanes;  ///< widths are multiples of it
  /// Codes and remainders (QK_REST_UNITS) of v = x[r][c]·factor.
  void (*values_to_codes)(size_t rows, size_t width, const float *x, float factor, float lo, float hi, int8_t *codes,
                          int8_t *rest);
  /// y[r][c] = x[r][c] + keep[r / rows_per_image]·(float(sums[r][c])·factor[c]); keep may be null.
  void (*add_branch)(size_t rows, size_t width, size_t rows_per_image, const int32_t *sums, const float *factor,
                     const float *keep, const float *x, float *y);
  /// Codes of LayerNorm(x)·inverse_step, and mean and 1/deviation of every row.
  void (*norm_to_codes)(size_t rows, size_t width, const float *x, const float *weight, const float *bias,
                        float epsilon, float inverse_step, float lo, float hi, int8_t *codes, float *statistics);
  /// Mean and 1/deviation alone.
  void (*norm_statistics)(size_t rows, size_t width, const float *x, float epsilon, float *statistics);
  void (*norm_backward)(const qk_norm_gradient *n);
  void (*prepare_gradient)(const qk_output_gradient *o);
  /// left[r][c] = round(g[r][c] / scale[r]), words or bytes; sums[r] is the sum of the row's codes, for bytes.
  void (*round_rows)(qk_gradient_form form, size_t rows, size_t width, const float *g, size_t stride, void *left,
                     float *scale, int32_t *sums);
  /// Panels of round(g[r][c]·weight[r] / scale[c]), words or bytes; weight may be null (all 1); sums[c] is the sum of
  /// the column's codes, for bytes; factor [width] is scratch. Rows are `stride` apart.
  void (*round_columns)(qk_gradient_form form, size_t rows, size_t width, const float *g, size_t stride,
                        const float *weight, float *factor, float *scale, int32_t *sums, void *panels);
  /// g (in place) is cut by the quantiser with these remainders; step[c] = Σ_r g·slope.
  void (*cut_gradient)(size_t rows, size_t width, const int8_t *rest, float lo, float hi, float *g, float *step);
  /// sums[t] = Σ of `dimension` codes of row t; rows are `step` apart.
  void (*sum_rows)(size_t rows, size_t dimension, const int8_t *codes, size_t step, int32_t *sums);
  /// Turns rows of scores, `stride` apart, into probability codes round(levels·e^(s − max)); sum[i] = Σ_j P.
  void (*soften)(size_t tokens, size_t stride, float levels, float *scores, uint8_t *probabilities, float *sum);
  void (*score_gradients)(const qk_score_gradient *s);
  /// values[r][c] *= factor[c]; rows are `stride` apart.
  void (*scale_columns)(size_t rows, size_t width, const float *factor, float *values, size_t stride);
} qk_block_passes;

extern const qk_block_passes qk_passes8, qk_passes16;

#endif
