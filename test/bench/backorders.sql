-- A policy under which anything is sold, and a table of lines without triggers
--
-- backorder.sql has 10,000 orders wait and serves them by one receipt, a few
-- times.
\set ON_ERROR_STOP 1
\set QUIET 1
SET client_min_messages = warning;

INSERT INTO shop.skus (code, name) VALUES ('WANTED', 'What is not there');
INSERT INTO shop.backorder_policies (sku, policy) VALUES ('WANTED', 'backorder');
CREATE TABLE bench.order_lines (LIKE shop.order_lines INCLUDING ALL);
CREATE TABLE bench.backorders (what text, round integer, cpu_ns bigint);
