// Replays vectors/<CASE>.in.hex into a unit and compares its outputs with vectors/<CASE>.out.hex, word by word.
//
// Bit LAST_BIT of an input word marks the words that end an operation, each of which gives one output word; with
// LAST_BIT = −1 every word does. The final word must end an operation. Widths are multiples of four bits.
// Pass 0 sends one word per cycle, pass 1 repeats the beginning with gaps. Every output must equal its word and come
// the same number of cycles after the word that ended its operation. A missing output is an error, not a wait:
// a pass ends TAIL idle cycles after its last word. Replay starts when `ready` is high.
module quasar_replay_tb #(
  parameter integer IN_WORD = 4,
  parameter integer OUT_WORD = 4,
  parameter integer LAST_BIT = -1,
  parameter CASE = "case",
  parameter integer VECTORS = 1,
  parameter integer TAIL = 32
) (
  input  logic                clk,
  input  logic                reset,
  input  logic                ready,
  output logic                in_valid,
  output logic [IN_WORD-1:0]  word,
  input  logic                out_valid,
  input  logic [OUT_WORD-1:0] found,
  output logic                done,
  output logic [31:0]         errors
);
  localparam integer SHORT = VECTORS < 2048 ? VECTORS : 2048;  // words of pass 1, then cut to whole operations
  localparam integer SHOWN = 3;                                // mismatches printed

  logic [IN_WORD-1:0] in_words [0:VECTORS-1];
  logic [OUT_WORD-1:0] out_words [0:VECTORS-1];
  logic ends [0:VECTORS-1];
  integer sent_at [0:VECTORS-1];  // cycle in which the word that ends output n's operation is on the port

  integer outputs, first_end, short_words, short_outputs;
  logic [IN_WORD-1:0] scanned;

  initial begin
    $readmemh({"vectors/", CASE, ".in.hex"}, in_words);
    outputs = 0;
    first_end = 0;
    short_words = 0;
    short_outputs = 0;
    for (int i = 0; i < VECTORS; i = i + 1) begin
      scanned = in_words[i];
      ends[i] = LAST_BIT < 0 || scanned[LAST_BIT < 0 ? 0 : LAST_BIT];
      if (ends[i]) begin
        if (outputs == 0) first_end = i;
        outputs = outputs + 1;
        if (i < SHORT) begin
          short_words = i + 1;
          short_outputs = outputs;
        end
      end
    end
    if (outputs > 0) $readmemh({"vectors/", CASE, ".out.hex"}, out_words, 0, outputs - 1);
  end

  integer pass, next, tail, cycle, sent, received, latency, first_out, last_out;
  integer pass_words, pass_outputs, new_errors;
  logic [7:0] random;

  assign pass_words = pass == 0 ? VECTORS : short_words;
  assign pass_outputs = pass == 0 ? outputs : short_outputs;

  // The output that is on the port now: 1 when it is wrong.
  task automatic check_output(output integer wrong);
    begin
      wrong = 1;
      if (received >= sent) begin
        if (errors < SHOWN) $display("%0s pass %0d: output %0d was not asked for", CASE, pass, received);
      end else if (found !== out_words[received]) begin
        if (errors < SHOWN) begin
          $display("%0s pass %0d: output %0d expected %h found %h", CASE, pass, received, out_words[received], found);
        end
      end else if ((pass != 0 || received != 0) && cycle - sent_at[received] != latency) begin
        if (errors < SHOWN) begin
          $display("%0s pass %0d: output %0d after %0d cycles, the first one after %0d", CASE, pass, received,
                   cycle - sent_at[received], latency);
        end
      end else begin
        wrong = 0;
      end
    end
  endtask

  // new_errors is a sum inside one clock, not a register.
  always @(posedge clk) begin
    cycle <= cycle + 1;
    random <= {random[6:0], random[7] ^ random[5] ^ random[4] ^ random[3]};
    in_valid <= 1'b0;
    new_errors = 0;
    if (reset) begin
      pass <= 0;
      next <= 0;
      tail <= 0;
      cycle <= 0;
      sent <= 0;
      received <= 0;
      latency <= -1;
      first_out <= 0;
      last_out <= 0;
      random <= 8'h5a;
      errors <= 0;
      done <= 1'b0;
    end else if (ready && !done) begin
      if (out_valid) begin
        received <= received + 1;
        if (pass == 0) begin
          last_out <= cycle;
          if (received == 0) begin
            first_out <= cycle;
            latency <= cycle - sent_at[0];
          end
        end
        check_output(new_errors);
      end

      if (pass == 2) begin
        done <= 1'b1;
        if (!ends[VECTORS-1]) begin
          $display("%0s: the final input word does not end an operation", CASE);
          new_errors = new_errors + 1;
        end
        if (last_out - first_out != VECTORS - 1 - first_end) begin
          $display("%0s: %0d words took %0d cycles", CASE, VECTORS - 1 - first_end, last_out - first_out);
          new_errors = new_errors + 1;
        end
        if (errors == 0 && new_errors == 0) begin
          $display("PASS %0s vectors=%0d latency=%0d interval=1x%0d", CASE, VECTORS, latency, VECTORS - 1 - first_end);
        end else begin
          $display("FAIL %0s errors=%0d of %0d", CASE, errors + new_errors, outputs);
        end
      end else if (next < pass_words) begin
        if (pass == 0 || random[1:0] != 2'd0) begin
          in_valid <= 1'b1;
          word <= in_words[next];
          next <= next + 1;
          if (ends[next]) begin
            sent_at[sent] <= cycle + 1;
            sent <= sent + 1;
          end
        end
      end else if (tail < TAIL) begin
        tail <= tail + 1;
      end else begin
        if (received < pass_outputs) begin
          $display("%0s pass %0d: %0d outputs missing", CASE, pass, pass_outputs - received);
          new_errors = new_errors + pass_outputs - received;
        end
        pass <= pass + 1;
        next <= 0;
        tail <= 0;
        sent <= 0;
        received <= 0;
      end
      errors <= errors + new_errors;
    end
  end
endmodule
