// Float kernels of the training engine: forward and backward passes, fake quantisation, optimiser.
//
// All matrices are row-major float32. Work is split into blocks whose size depends on the shape alone, and sums over
// rows run over a fixed binary tree of such blocks, so the bits do not depend on the number of threads. Callers (Swift)
// guarantee shapes and non-null pointers; qk_scratch_floats gives the sizes of scratch.
#ifndef CKERNELS_TRAINING_H
#define CKERNELS_TRAINING_H

#include <stddef.h>
#include <stdint.h>
#include "ckernels/dispatch.h"
#include "ckernels/status.h"

/// Rows of one reduction block.
#define QK_REDUCTION_ROWS 64

/// Floats of scratch for a reduction of `rows` rows to `width` sums: ⌈rows/64⌉·width.
size_t qk_scratch_floats(size_t rows, size_t width);

// --- products ---------------------------------------------------------------------------------------------

/// C[m, n] = op(A)·op(B) in fp32; op transposes when the flag is 1. lda, ldb, ldc: elements from one stored row to the
/// next.
///
/// Every element is one chain over k, starting from 0: sum ← a[i, k]·b[k, j] + sum, rounded once (a fused
/// multiply–add). Its bits depend neither on the number of threads nor on the instruction set. Sizes are 1…2^31 − 1; C
/// shares no memory with A and B. Example: (1, 2)·(3, 4)ᵀ = 11.
qk_status qk_sgemm(int transpose_a, int transpose_b, size_t m, size_t n, size_t k, const float *a, size_t lda,
                   const float *b, size_t ldb, float *c, size_t ldc);
/// The same on the kernels of `isa`.
qk_status qk_sgemm_with(qk_isa isa, int transpose_a, int transpose_b, size_t m, size_t n, size_t k, const float *a,
                        size_t lda, const float *b, size_t ldb, float *c, size_t ldc);

/// Y[m, n] = X[m, k]·W[n, k]ᵀ + bias[n], with the sums of qk_sgemm; bias may be null. Example: (1, 2)·(3, 4)ᵀ + 5 = 16.
qk_status qk_linear(size_t m, size_t n, size_t k, const float *x, const float *weight, const float *bias, float *y);

/// y[r, :] += v for all rows.
void qk_add_row(size_t rows, size_t width, const float *v, float *y);
/// y[r, :] = x[r, :] ⊙ v
void qk_multiply_row(size_t rows, size_t width, const float *x, const float *v, float *y);

// --- reductions -------------------------------------------------------------------------------------------

/// out[j] = Σ_r x[r, j]
void qk_column_sums(size_t rows, size_t width, const float *x, float *scratch, float *out);
/// out[j] = Σ_r x[r, j]·y[r, j]
void qk_column_dots(size_t rows, size_t width, const float *x, const float *y, float *scratch, float *out);
/// Σ x[i]; scratch qk_scratch_floats(⌈count/64⌉, 1)
float qk_sum(size_t count, const float *x, float *scratch);
/// Σ x[i]²
float qk_sum_of_squares(size_t count, const float *x, float *scratch);

// --- elementwise ------------------------------------------------------------------------------------------

void qk_add(size_t count, const float *a, const float *b, float *out);
void qk_subtract(size_t count, const float *a, const float *b, float *out);
void qk_multiply(size_t count, const float *a, const float *b, float *out);
/// out = factor·a
void qk_scale(size_t count, float factor, const float *a, float *out);
/// y += factor·x
void qk_accumulate(size_t count, float factor, const float *x, float *y);

/// out = x·Φ(x), Φ the normal distribution function (absolute error of Φ below 2e-7).
void qk_gelu_forward(size_t count, const float *x, float *out);
/// gx = gy·(Φ(x) + x·φ(x))
void qk_gelu_backward(size_t count, const float *x, const float *gy, float *gx);

// --- row-wise functions -----------------------------------------------------------------------------------

/// y = (x − mean)/√(var + eps)·weight + bias over rows; stores mean and 1/√(var + eps) in statistics[rows][2].
void qk_float_layer_norm_forward(size_t rows, size_t width, const float *x, const float *weight,
                                 const float *bias, float eps, float *y, float *statistics);
/// Computes gx, and gweight and gbias summed over rows; scratch qk_scratch_floats(rows, 2·width).
void qk_float_layer_norm_backward(size_t rows, size_t width, const float *x, const float *weight,
                                  const float *statistics, const float *gy, float *scratch, float *gx,
                                  float *gweight, float *gbias);

/// y = softmax of each row.
void qk_softmax_forward(size_t rows, size_t width, const float *x, float *y);
/// gx = y ⊙ (gy − Σ gy⊙y)
void qk_softmax_backward(size_t rows, size_t width, const float *y, const float *gy, float *gx);

/// loss[r] = −Σ_j target[r,j]·log softmax(x)[r,j]; probabilities[r,:] = softmax(x).
void qk_cross_entropy_forward(size_t rows, size_t width, const float *x, const float *target,
                              float *probabilities, float *loss);
/// gx[r,:] = factor·(probabilities·Σ_j target − target)
void qk_cross_entropy_backward(size_t rows, size_t width, const float *probabilities, const float *target,
                               float factor, float *gx);

// --- transformer ------------------------------------------------------------------------------------------

/// y = x + gain ⊙ branch·keep[row / rows_per_sample]; keep may be null (all 1).
void qk_residual_forward(size_t rows, size_t width, size_t rows_per_sample, const float *x,
                         const float *branch, const float *gain, const float *keep, float *y);
/// gbranch = gy ⊙ gain·keep, ggain[j] = Σ_r gy·branch·keep; scratch qk_scratch_floats(rows, width).
void qk_residual_backward(size_t rows, size_t width, size_t rows_per_sample, const float *branch,
                          const float *gain, const float *keep, const float *gy, float *scratch,
                          float *gbranch, float *ggain);

/// tokens[b, 0] = cls + position[0]; tokens[b, t] = patches[b, t−1] + position[t].
void qk_embed_forward(size_t batch, size_t patches, size_t width, const float *x, const float *cls,
                      const float *position, float *tokens);
/// gx = gtokens[:, 1…], gposition[t] = Σ_b gtokens[b, t]; (gcls equals gposition[0]).
void qk_embed_backward(size_t batch, size_t patches, size_t width, const float *gtokens, float *gx,
                       float *gposition);

/// Softmax attention of all images and heads; qkv as in qk_attention_arguments, scores scaled by `scale`.
///
/// levels = 0: probabilities e^(s−max)/Σ. levels = 2^A − 1: e is first rounded to multiples of 1/levels, as in the
/// integer unit (straight-through in the backward pass). Stores probabilities[batch·heads][T][T]. Statuses are those of
/// qk_sgemm.
qk_status qk_float_attention_forward(size_t batch, size_t tokens, size_t heads, size_t head_dimension, const float *qkv,
                                     float scale, float levels, float *probabilities, float *out);
qk_status qk_float_attention_backward(size_t batch, size_t tokens, size_t heads, size_t head_dimension, const float *qkv,
                                      float scale, const float *probabilities, const float *gout, float *gqkv);

// --- images -----------------------------------------------------------------------------------------------

/// codes[b·P + p][(c·ps + y)·ps + x] from planar images[b][c][size][size]; P = (size/ps)².
void qk_patch_codes(size_t batch, size_t channels, size_t size, size_t patch, const uint8_t *images,
                    uint8_t *codes);
/// x[r, j] = codes[r, j]/255 − mean[j]
void qk_pixels_to_float(size_t rows, size_t width, const uint8_t *codes, const float *mean, float *x);

// --- fake quantisation ------------------------------------------------------------------------------------

/// y = s·clamp(round(x/s), lo, hi); the columns of a row form `segments` equal parts with one scale each.
///
/// Rounding is half to even (the requantiser of deployment rounds half up; see the `exact` mode).
void qk_quantize_forward(size_t rows, size_t width, size_t segments, const float *scales, float lo, float hi,
                         const float *x, float *y);
/// gx = gy inside the clamp, else 0; gscale[g] = Σ gy·(round(v) − v | lo | hi), v = x/s (LSQ, Esser et al. 2020).
/// scratch qk_scratch_floats(rows, segments).
void qk_quantize_backward(size_t rows, size_t width, size_t segments, const float *scales, float lo, float hi,
                          const float *x, const float *gy, float *scratch, float *gx, float *gscale);
/// y = scale[segment]·(codes − offset)
void qk_dequantize_int8(size_t rows, size_t width, size_t segments, const float *scales, const int8_t *codes,
                        float *y);
void qk_dequantize_uint8(size_t count, float scale, int32_t zero, const uint8_t *codes, float *y);
void qk_dequantize_int16(size_t count, float scale, const int16_t *codes, float *y);
void qk_dequantize_int32(size_t count, float scale, const int32_t *codes, float *y);

/// Ways in which the two precisions of a row share its latent weights.
typedef enum qk_sharing {
  QK_SHARING_INDEPENDENT = 0,  ///< one step per precision
  QK_SHARING_TIED,             ///< the 4-bit step is 16 times the 8-bit step
  QK_SHARING_NESTED            ///< tied, and the 4-bit code is clamp((q8 + 8) >> 4, −7, 7) of the 8-bit code q8
} qk_sharing;

/// The slice q[i, k] = s·clamp(round(w[row[i], k]/s), −Q, Q) of a latent matrix with `stride` columns.
///
/// bits[i] is 4 (Q = 7, s = scale4[row], or 16·scale8[row] where steps are tied), 8 (Q = 127, s = scale8[row]), or 32
/// (the latent value, not quantised). scale4 may be null unless steps are independent and a row has 4 bits.
void qk_weight_slice_forward(size_t rows, size_t width, const float *latent, size_t stride,
                             const int32_t *row, const uint8_t *bits, const float *scale4,
                             const float *scale8, qk_sharing sharing, float *q);
/// Adds the gradients of the slice to glatent, gscale4, gscale8 (straight-through inside the clamp; LSQ).
///
/// gq may equal glatent, where row[i] = i and width = stride: the latent gradient then replaces gq. With `fresh` the
/// rows of glatent count as 0, whatever they hold, and their columns from `width` on become 0.
void qk_weight_slice_backward(size_t rows, size_t width, const float *latent, size_t stride,
                              const int32_t *row, const uint8_t *bits, const float *scale4,
                              const float *scale8, qk_sharing sharing, const float *gq, int fresh, float *glatent,
                              float *gscale4, float *gscale8);
/// values[row[i], 0…stride − 1] = 0 for `rows` rows.
void qk_clear_rows(size_t rows, const int32_t *row, size_t stride, float *values);
/// The codes of the same slice as int8 (bits 4 or 8).
void qk_weight_slice_codes(size_t rows, size_t width, const float *latent, size_t stride, const int32_t *row,
                           const uint8_t *bits, const float *scale4, const float *scale8, qk_sharing sharing,
                           int8_t *codes);

// --- indexing ---------------------------------------------------------------------------------------------

/// out[i, :] = x[index[i], 0…width−1], x with `stride` columns.
void qk_gather_rows(size_t rows, size_t width, const float *x, size_t stride, const int32_t *index,
                    float *out);
/// x[index[i], 0…width−1] += g[i, :]; equal indices are added in order.
void qk_scatter_add_rows(size_t rows, size_t width, const float *g, const int32_t *index, float *x,
                         size_t stride);

// --- optimiser --------------------------------------------------------------------------------------------

/// One AdamW step (Loshchilov & Hutter 2019) with bias corrections c1 = 1 − β1^t, c2 = 1 − β2^t.
///
/// relative = 0: p ← p − lr·(m̂/(√v̂ + eps) + decay·p). relative = 1, for positive scales: the gradient is taken with
/// respect to ln p, and p ← p·max(½, 1 − lr·m̂/(√v̂ + eps)), at least 1e-8. A null gradient counts as zero.
typedef struct qk_adamw_settings {
  float learning_rate, beta1, beta2, epsilon, decay, correction1, correction2, gradient_factor;
  int32_t relative;
} qk_adamw_settings;
void qk_adamw_step(size_t count, const qk_adamw_settings *settings, const float *gradient, float *parameter,
                   float *moment1, float *moment2);

/// The direction of a LAMB step (You et al. 2020), m̂/(√v̂ + eps) + decay·p; the caller scales it by its trust ratio. A
/// null gradient counts as zero.
void qk_lamb_direction(size_t count, const qk_adamw_settings *settings, const float *gradient, const float *parameter,
                       float *moment1, float *moment2, float *direction);
/// average ← average + (1 − decay)·(parameter − average)
void qk_average_step(size_t count, float decay, const float *parameter, float *average);

// --- quantiser start and oscillation ----------------------------------------------------------------------

/// errors[c] = Σ_i (x[i] − s·clamp(rint(x[i]·(1/s)), low, high))² for each candidate s = steps[c], in the order of i.
/// Example: x = {1.3}, s = 0.5, limits −7…7: (1.3 − 1.5)² = 0.04.
void qk_step_errors(size_t count, const float *x, float low, float high, size_t candidates, const float *steps,
                    float *errors);

/// Computes U (upper, row-major) with (H + damping·I)⁻¹ = Uᵀ·U, in place of the symmetric H[n][n]; entries below the
/// diagonal are undefined.
///
/// Cholesky of H, its inverse, Cholesky of that (LAPACK's dpotrf and dpotri). Returns 1, or 0 where H is not positive
/// definite or not finite; H is then undefined.
int qk_inverse_factor(size_t n, double damping, double *h);

/// Rounds a slice column by column and compensates every error in the columns that follow (GPTQ, Frantar et al. 2022).
///
/// With U from qk_inverse_factor of the layer's inputs, w[i] becomes s·q[i], and
/// w[j] −= (w[i] − s·q[i])·U[i][j]/U[i][i] for all j > i before they are rounded. The sum of ((w[i] − s·q[i])/U[i][i])²
/// is then (s·q − w)·H·(s·q − w)ᵀ. The choice is greedy, so a row takes the nearest codes where rounding to nearest
/// leaves no larger sum. Rows, bits and steps are as in qk_weight_slice_forward. Writes s·q into the latent matrix, so
/// that its codes are q. work[2·rows][width]. The arithmetic is in double precision, without fused multiply–add.
void qk_compensated_rounding(size_t rows, size_t width, float *latent, size_t stride, const int32_t *row,
                             const uint8_t *bits, const float *scale4, const float *scale8, qk_sharing sharing,
                             const double *factor, double *work);

/// The qk_oscillation.state of a weight that is held at its code.
#define QK_WEIGHT_FROZEN 2
/// Frequency from which on a weight counts as oscillating (Nagel et al. 2022).
#define QK_OSCILLATING_FREQUENCY 0.005f

/// The codes of a latent matrix's rows, followed over the updates of a run. All arrays are [rows][width], 10 bytes per
/// weight.
typedef struct qk_oscillation {
  size_t rows, width;
  const uint8_t *bits;           ///< [rows], 4 or 8: the precision whose code is followed
  const float *scale4, *scale8;  ///< [rows], as in qk_weight_slice_forward
  qk_sharing sharing;
  float threshold;   ///< frequency above which a weight is frozen
  float momentum;    ///< share of the newest update in the moving averages
  int8_t *code;      ///< code after the last update; for a frozen weight the code it is held at
  int8_t *state;     ///< direction of the last change of the code, −1 or 1; 0: none yet; QK_WEIGHT_FROZEN
  float *frequency;  ///< moving average of 1 for updates whose change went against the last one, 0 for others
  float *mean;       ///< moving average of the code
} qk_oscillation;

/// Takes the codes of the present weights, with no change yet and frequency 0.
void qk_oscillation_start(const qk_oscillation *o, const float *latent);
/// Call after an update: takes in the new codes, freezes weights above the threshold at round(mean), and sets all
/// frozen ones to s·code with the present step. counts[row] = { oscillating and not frozen, frozen }.
void qk_oscillation_step(const qk_oscillation *o, float *latent, uint32_t *counts);
/// latent = s·code for frozen weights; reads only code, state and steps.
void qk_oscillation_hold(const qk_oscillation *o, float *latent);
/// gradient = 0 for frozen weights.
void qk_oscillation_mask(size_t count, const int8_t *state, float *gradient);

#endif
