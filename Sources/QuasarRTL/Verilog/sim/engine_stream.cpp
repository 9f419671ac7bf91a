// Feeds a program and images to the stream port of an engine, word by word, and writes down what comes out.
//
//   engine_stream PROGRAM IMAGES COUNT BYTES-PER-IMAGE RESULT [SEED]
//
// A word is offered in every cycle; with a SEED words come with random gaps. RESULT gets one line an event, each with the cycle
// counted from the first word's acceptance: "x CYCLE" (a record enters), "c CYCLE" (a command is complete), "l CYCLE INDEX VALUE"
// (a logit). The exit status is 1 if nothing happens for a million cycles or the engine reports an error.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "Vengine_top.h"
#include "verilated.h"

namespace {

std::vector<uint8_t> read_file(const char *path) {
  std::vector<uint8_t> bytes;
  FILE *file = std::fopen(path, "rb");
  if (!file) {
    std::fprintf(stderr, "%s: cannot be read\n", path);
    std::exit(2);
  }
  int c;
  while ((c = std::fgetc(file)) != EOF) bytes.push_back(static_cast<uint8_t>(c));
  std::fclose(file);
  return bytes;
}

// One port of any width, least significant byte first.
template <typename Port>
void put(Port &port, const uint8_t *bytes, size_t count) {
  uint8_t *target = reinterpret_cast<uint8_t *>(&port);
  for (size_t i = 0; i < count; i++) target[i] = bytes[i];
}

}  // namespace

int main(int argc, char **argv) {
  if (argc < 6) {
    std::fprintf(stderr, "usage: engine_stream PROGRAM IMAGES COUNT BYTES-PER-IMAGE RESULT [SEED]\n");
    return 2;
  }
  const std::vector<uint8_t> program = read_file(argv[1]), images = read_file(argv[2]);
  const long count = std::atol(argv[3]);
  const size_t image_bytes = static_cast<size_t>(std::atol(argv[4]));
  FILE *result = std::fopen(argv[5], "w");
  uint64_t random = argc > 6 ? std::strtoull(argv[6], nullptr, 10) * 2654435761u + 1 : 0;
  if (!result || images.size() < image_bytes * static_cast<size_t>(count)) {
    std::fprintf(stderr, "%s: cannot be written, or too few images\n", argv[5]);
    return 2;
  }

  VerilatedContext context;
  Vengine_top engine(&context);
  const size_t word = sizeof engine.stream_data;
  const size_t block = 64;
  engine.clk = 0;
  engine.reset = 1;
  engine.stream_valid = 0;
  long image = 0, started = -1, cycle = 0, done = 0, quiet = 0;
  size_t place = 0;  // in the stream of an image: block of the header, image, rest of the program
  const size_t total = program.size() + image_bytes;
  bool offered = false;
  while (done < count) {
    if (cycle == 4) engine.reset = 0;
    if (cycle > 4 && !offered && image < count) {
      random = random ? random * 6364136223846793005u + 1442695040888963407u : 0;
      if (!random || (random >> 60) < 11) {
        const uint8_t *bytes = place < block ? &program[place]
            : place < block + image_bytes    ? &images[static_cast<size_t>(image) * image_bytes + place - block]
                                             : &program[place - image_bytes];
        put(engine.stream_data, bytes, word);
        engine.stream_valid = 1;
        engine.stream_last = place + word == total;
        offered = true;
      }
    }
    engine.eval();
    const bool passes = engine.stream_valid && engine.stream_ready;
    if (passes && started < 0) started = cycle;
    const long now = cycle - started;
    if (engine.record_enters) std::fprintf(result, "x %ld\n", now), quiet = 0;
    if (engine.command_complete) std::fprintf(result, "c %ld\n", now), quiet = 0;
    if (engine.logit_valid) std::fprintf(result, "l %ld %d %d\n", now, int(engine.logit_index), int32_t(engine.logit));
    if (engine.image_done) done++;
    if (engine.error || ++quiet > 1000000) {
      std::fprintf(stderr, "%s, code %d, record %u, cycle %ld\n", engine.error ? "the engine reports an error" : "nothing happens",
                   int(engine.error_code), unsigned(engine.error_record), now);
      return 1;
    }
    engine.clk = 1;
    engine.eval();
    engine.clk = 0;
    if (passes) {
      place += word;
      offered = false;
      engine.stream_valid = 0;
      engine.stream_last = 0;
      if (place == total) place = 0, image++;
    }
    cycle++;
  }
  std::fprintf(result, "end %ld\n", cycle - started);
  std::fclose(result);
  return 0;
}
