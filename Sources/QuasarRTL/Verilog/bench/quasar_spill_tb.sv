// Sends words through a quasar_spill and compares each with what went in.
//
// vectors/CASE.in.hex and vectors/CASE.out.hex: VECTORS words of BITS bits, the same in both.
// In the first pass producer and consumer are ready in every cycle, and it is measured; in the second one both stop at
// random, each for some cycles now and then, so that the second register fills and empties.
module quasar_spill_tb #(
  parameter CASE = "spill",
  parameter integer VECTORS = 16,
  parameter integer BITS = 32
) (
  input  logic        clk,
  input  logic        reset,
  output logic        done,
  output logic [31:0] errors
);
  localparam integer SHORT = VECTORS < 2000 ? VECTORS : 2000;
  localparam integer PATIENCE = 200;

  logic [BITS-1:0] inputs [0:VECTORS-1];
  logic [BITS-1:0] outputs [0:VECTORS-1];
  initial begin
    $readmemh({"vectors/", CASE, ".in.hex"}, inputs);
    $readmemh({"vectors/", CASE, ".out.hex"}, outputs);
  end

  logic in_valid, in_ready, out_valid, out_ready;
  logic [BITS-1:0] in_data, out_data;
  quasar_spill #(.BITS(BITS)) unit (
    .clk(clk), .reset(reset), .in_valid(in_valid), .in_ready(in_ready), .in_data(in_data), .out_valid(out_valid),
    .out_ready(out_ready), .out_data(out_data));

  // phase 1: never stopped, 2: stopped at random, 3: nothing more may come, 4: finished.
  integer phase, offered, received, quiet, cycle, first_in, first_out, last_out, found, interval, wanted;
  logic [31:0] random;
  assign interval = VECTORS > 1 ? (last_out - first_out) / (VECTORS - 1) : 1;
  assign wanted = phase == 1 ? VECTORS : SHORT;

  always @(posedge clk) begin
    if (reset) begin
      phase <= 1; offered <= 0; received <= 0; quiet <= 0; cycle <= 0; first_in <= 0; first_out <= 0; last_out <= 0;
      random <= 32'h13579bd; in_valid <= 0; out_ready <= 1; done <= 0; errors <= 0; found <= 0;
    end else begin
      cycle <= cycle + 1;
      quiet <= quiet + 1;
      random <= {random[30:0], random[31] ^ random[21] ^ random[1] ^ random[0]};
      out_ready <= phase != 2 || random[3:2] != 2'd0;
      // The next word is offered when the one before is taken.
      if (!in_valid || in_ready) begin
        in_valid <= 0;
        if ((phase == 1 || phase == 2) && offered < wanted && (phase == 1 || random[1:0] != 2'd1)) begin
          in_valid <= 1;
          in_data <= inputs[offered];
          offered <= offered + 1;
        end
      end
      if (phase == 1 && in_valid && first_in == 0) first_in <= cycle;
      if ((phase == 1 || phase == 2) && out_valid === 1'b1 && out_ready) begin
        quiet <= 0;
        received <= received + 1;
        if (phase == 1 && received == 0) first_out <= cycle;
        if (phase == 1 && received == VECTORS - 1) last_out <= cycle;
        if (out_data !== outputs[received]) begin
          found <= found + 1;
          if (found <= 5)
            $display("%0s word %0d: expected %h, found %h", CASE, received, outputs[received], out_data);
        end
        if (received == wanted - 1) begin
          phase <= phase + 1;
          offered <= 0;
          received <= 0;
        end
      end else if (out_valid !== 1'b0 && (phase == 3 || out_valid !== 1'b1)) found <= found + 1;
      if (phase == 3 && quiet > PATIENCE) phase <= 4;
      if ((phase == 1 || phase == 2) && quiet > PATIENCE) begin
        $display("%0s: no output for %0d cycles after %0d words", CASE, quiet, received);
        found <= found + 1;
        phase <= 4;
      end
      if (phase == 4 && !done) begin
        done <= 1;
        errors <= found;
        if (found == 0)
          $display("PASS %0s vectors=%0d latency=%0d interval=%0d", CASE, VECTORS, first_out - first_in, interval);
        else $display("FAIL %0s errors=%0d of %0d", CASE, found, VECTORS + SHORT);
      end
    end
  end
endmodule
