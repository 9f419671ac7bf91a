#include "quasar_images.h"

#include <png.h>
#include <string.h>

// Everything that is alive across longjmp is behind one pointer, so no local variable needs to survive it.
typedef struct {
  png_structp png;
  png_infop info;
  const uint8_t *bytes;
  size_t left;
  char *message;
} png_source;

static void fail(png_structp png, png_const_charp text) {
  png_source *source = png_get_error_ptr(png);
  strncpy(source->message, text, QK_IMAGE_MESSAGE - 1);
  source->message[QK_IMAGE_MESSAGE - 1] = 0;
  png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp text) {
  (void)png;
  (void)text;
}

static void take(png_structp png, png_bytep target, size_t count) {
  png_source *source = png_get_io_ptr(png);
  if (count > source->left) png_error(png, "the file ends too early");
  memcpy(target, source->bytes, count);
  source->bytes += count;
  source->left -= count;
}

static qk_image_status open_source(png_source *source, const uint8_t *file, size_t count, char *message) {
  *source = (png_source){.bytes = file, .left = count, .message = message};
  message[0] = 0;
  source->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, source, fail, ignore);
  if (!source->png) return QK_IMAGE_NO_MEMORY;
  source->info = png_create_info_struct(source->png);
  if (!source->info) {
    png_destroy_read_struct(&source->png, NULL, NULL);
    return QK_IMAGE_NO_MEMORY;
  }
  png_set_read_fn(source->png, source, take);
  png_set_user_limits(source->png, QK_IMAGE_LARGEST, QK_IMAGE_LARGEST);
  return QK_IMAGE_OK;
}

// Reads up to the pixels and asks for 8-bit grey or RGB, with alpha where the file has transparency.
static qk_image_status read_header(png_source *source, qk_image_shape *shape) {
  png_structp png = source->png;
  png_read_info(png, source->info);
  png_uint_32 width = png_get_image_width(png, source->info);
  png_uint_32 height = png_get_image_height(png, source->info);
  if ((uint64_t)width * height > QK_IMAGE_LARGEST) return QK_IMAGE_TOO_LARGE;
  int colour = png_get_color_type(png, source->info);
  int transparent = png_get_valid(png, source->info, PNG_INFO_tRNS) != 0;
  if (colour == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (colour == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png);
  if (transparent) png_set_tRNS_to_alpha(png);
  png_set_scale_16(png);
  shape->width = (int32_t)width;
  shape->height = (int32_t)height;
  shape->channels = colour & PNG_COLOR_MASK_COLOR ? 3 : 1;
  shape->samples = shape->channels + (transparent || colour & PNG_COLOR_MASK_ALPHA ? 1 : 0);
  return QK_IMAGE_OK;
}

qk_image_status qk_png_shape(const uint8_t *file, size_t count, qk_image_shape *shape, char *message) {
  png_source source;
  qk_image_status status = open_source(&source, file, count, message);
  if (status != QK_IMAGE_OK) return status;
  if (setjmp(png_jmpbuf(source.png))) {
    png_destroy_read_struct(&source.png, &source.info, NULL);
    return QK_IMAGE_DAMAGED;
  }
  status = read_header(&source, shape);
  png_destroy_read_struct(&source.png, &source.info, NULL);
  return status;
}

// In place: the target never overtakes the source.
static void lay_over_white(uint8_t *pixels, size_t points, int channels) {
  uint8_t *target = pixels;
  for (size_t i = 0; i < points; i++) {
    const uint8_t *source = pixels + i * (size_t)(channels + 1);
    unsigned alpha = source[channels];
    for (int c = 0; c < channels; c++) *target++ = (uint8_t)((source[c] * alpha + 255 * (255 - alpha) + 127) / 255);
  }
}

qk_image_status qk_png_decode(
    const uint8_t *file, size_t count, const qk_image_shape *shape, uint8_t *pixels, char *message) {
  png_source source;
  qk_image_shape found;
  qk_image_status status = open_source(&source, file, count, message);
  if (status != QK_IMAGE_OK) return status;
  if (setjmp(png_jmpbuf(source.png))) {
    png_destroy_read_struct(&source.png, &source.info, NULL);
    return QK_IMAGE_DAMAGED;
  }
  status = read_header(&source, &found);
  if (status == QK_IMAGE_OK && memcmp(&found, shape, sizeof found) != 0) png_error(source.png, "the header has changed");
  if (status == QK_IMAGE_OK) {
    int passes = png_set_interlace_handling(source.png);
    png_read_update_info(source.png, source.info);
    size_t row = (size_t)found.width * (size_t)found.samples;
    if (png_get_rowbytes(source.png, source.info) != row) png_error(source.png, "unknown kind of samples");
    for (int pass = 0; pass < passes; pass++) {
      for (int32_t y = 0; y < found.height; y++) png_read_row(source.png, pixels + (size_t)y * row, NULL);
    }
    png_read_end(source.png, NULL);
    if (found.samples > found.channels) {
      lay_over_white(pixels, (size_t)found.width * (size_t)found.height, found.channels);
    }
  }
  png_destroy_read_struct(&source.png, &source.info, NULL);
  return status;
}
