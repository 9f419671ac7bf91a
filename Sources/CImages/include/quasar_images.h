// JPEG and PNG files decoded to bytes, through libturbojpeg and libpng.
//
// Nothing here keeps state, prints, or leaves a function other than by returning: libpng's longjmp ends inside png.c.
// Pixels are interleaved, row by row from the top, without padding.
#ifndef QUASAR_IMAGES_H
#define QUASAR_IMAGES_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
  QK_IMAGE_OK = 0,
  QK_IMAGE_DAMAGED = 1,    // the library's reason is in `message`
  QK_IMAGE_TOO_LARGE = 2,  // more than QK_IMAGE_LARGEST points
  QK_IMAGE_NO_MEMORY = 3,
} qk_image_status;

enum {
  QK_IMAGE_MESSAGE = 200,       // bytes of a message with its final zero
  QK_IMAGE_LARGEST = 1 << 27,   // points of the largest image
};

typedef struct {
  int32_t width;
  int32_t height;
  int32_t channels;  // after decoding: 1 grey, 3 red green blue
  int32_t samples;   // bytes per point while decoding: channels, and one more for alpha or black ink
} qk_image_shape;

// Reads the shape from the header of a PNG file.
qk_image_status qk_png_shape(const uint8_t *file, size_t count, qk_image_shape *shape, char *message);

// Decodes to width·height·channels bytes at `pixels`, which needs room for width·height·samples. `shape` is that of
// qk_png_shape.
//
// 16-bit samples become round(v·255 / 65535). Alpha a is laid over white: (c·a + 255·(255 − a) + 127) / 255, rounded
// down. Gamma and colour profiles are not applied.
qk_image_status qk_png_decode(
    const uint8_t *file, size_t count, const qk_image_shape *shape, uint8_t *pixels, char *message);

// Reads the shape from the header of a JPEG file whose decode is scaled by 1/denominator (1, 2, 4 or 8): sides are
// ceil(side / denominator).
qk_image_status qk_jpeg_shape(
    const uint8_t *file, size_t count, int denominator, qk_image_shape *shape, char *message);

// Decodes to width·height·channels bytes at `pixels`, which needs room for width·height·samples. `shape` is that of
// qk_jpeg_shape with the same denominator.
//
// Uses the accurate integer inverse transform, with equal bits with and without vector instructions. Inks are read as
// Adobe writes them (255 means no ink): channel (c·k + 127) / 255. Stray bytes between two markers are accepted; any
// other damage is an error. Needs `turbojpeg` 2.1 or later, for its limit on the scans of a progressive file.
qk_image_status qk_jpeg_decode(
    const uint8_t *file, size_t count, int denominator, const qk_image_shape *shape, uint8_t *pixels, char *message);

#endif
