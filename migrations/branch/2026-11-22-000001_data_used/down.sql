DROP TABLE data_used;
