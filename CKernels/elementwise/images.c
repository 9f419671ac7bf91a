// Images as patch rows: u8 codes for the integer path, centred floats for the training path.
#include "float_common.h"

typedef struct {
  size_t channels, size, patch;
  const uint8_t *images;
  uint8_t *codes;
} patch_job;

static void patch_body(void *context, size_t begin, size_t end) {
  const patch_job *j = context;
  size_t side = j->size / j->patch, width = j->channels * j->patch * j->patch;
  for (size_t b = begin; b < end; b++) {
    const uint8_t *image = j->images + b * j->channels * j->size * j->size;
    uint8_t *out = j->codes + b * side * side * width;
    for (size_t py = 0; py < side; py++)
      for (size_t px = 0; px < side; px++)
        for (size_t c = 0; c < j->channels; c++)
          for (size_t y = 0; y < j->patch; y++, out += j->patch)
            memcpy(out, image + (c * j->size + py * j->patch + y) * j->size + px * j->patch, j->patch);
  }
}

void qk_patch_codes(size_t batch, size_t channels, size_t size, size_t patch, const uint8_t *images,
                    uint8_t *codes) {
  patch_job job = {channels, size, patch, images, codes};
  qk_parallel_for(batch, 8, &job, patch_body);
}

typedef struct {
  size_t rows, width;
  const uint8_t *codes;
  const float *mean;
  float *x;
} pixel_job;

QK_CLONES static void pixel_body(void *context, size_t begin, size_t end) {
  const pixel_job *j = context;
  size_t last = qk_min(end * QK_REDUCTION_ROWS, j->rows);
  for (size_t r = begin * QK_REDUCTION_ROWS; r < last; r++)
    for (size_t c = 0; c < j->width; c++)
      j->x[r * j->width + c] = (float)j->codes[r * j->width + c] / 255.0f - j->mean[c];
}

void qk_pixels_to_float(size_t rows, size_t width, const uint8_t *codes, const float *mean, float *x) {
  pixel_job job = {rows, width, codes, mean, x};
  qk_parallel_for(qk_blocks(rows, QK_REDUCTION_ROWS), 1, &job, pixel_body);
}
